import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets.readers._vectors import average

FRAMES = st.lists(
    st.lists(st.sampled_from([0.0, 1.0, -2.5, math.nan]), min_size=2, max_size=2),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("missing", [None, "nan"])
@given(st.data())
def test_the_mean_of_frames(missing, data):
    """Without padding, which is zeros; if asked, without frames of nothing but NaN."""
    frames = data.draw(FRAMES)
    lacking = [frame for frame in frames if missing and all(map(math.isnan, frame))]
    kept = [frame for frame in frames if any(frame) and frame not in lacking]
    expected = [sum(column) / len(kept) for column in zip(*kept, strict=True)] or [0.0, 0.0]
    if lacking and not kept:
        expected = [math.nan] * 2
    found = average(np.array(frames), missing)
    np.testing.assert_allclose(found, expected)
    several = average(np.array([frames, frames], "f4"), missing)
    np.testing.assert_allclose(several, [expected, expected], rtol=1e-6)
