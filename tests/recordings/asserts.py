"""What every extractor must satisfy, and the problems of a table."""

import json
import pickle

import numpy as np
import pytest

from graphfusion.datasets.checks.extractors import differences
from graphfusion.recordings import Extractor, TableError
from graphfusion.recordings.extractors import rebuild


def check_extractor(extractor, segments):
    """Sizes, fingerprint, copies, and vectors that depend on one segment only; returns them."""
    assert isinstance(extractor, Extractor)
    whole = extractor(segments)
    assert all(np.shape(each) == (extractor.dim,) for each in whole)
    assert all(np.isfinite(each).all() for each in whole)
    for segment, each in zip(segments, whole, strict=True):  # by itself, and in any company
        np.testing.assert_allclose(extractor([segment])[0], each, rtol=1e-4, atol=1e-5)
    assert json.loads(json.dumps(extractor.fingerprint)) == extractor.fingerprint
    again = rebuild("x", extractor.fingerprint)
    assert differences(again.fingerprint, extractor.fingerprint) == []
    assert np.array_equal(again(segments), whole)
    copied = pickle.loads(pickle.dumps(extractor))
    assert np.array_equal(copied(segments), whole)
    assert len(pickle.dumps(extractor)) < 2000  # models stay where they are
    return np.array(whole)


def problems(call):
    """The problems of the table that the call refuses."""
    with pytest.raises(TableError) as got:
        call()
    assert all(problem in str(got.value) for problem in got.value.problems)
    return got.value.problems
