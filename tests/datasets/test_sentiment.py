import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets.sentiment import SENTIMENTS, cut

dtypes = st.sampled_from([torch.float32, torch.float64])


@given(st.lists(st.floats(-3, 3, width=32), min_size=1), dtypes)
def test_seven_classes_are_the_rounded_score(scores, dtype):
    y = cut(torch.tensor(scores, dtype=dtype), 7)
    assert y.dtype == torch.int64
    assert y.tolist() == (np.round(np.clip(scores, -3, 3)) + 3).astype(int).tolist()


@given(st.lists(st.floats(-3, 3, width=32), min_size=1), dtypes)
def test_two_classes_are_the_signs(scores, dtype):
    y = cut(torch.tensor(scores, dtype=dtype), 2)
    assert y.dtype == torch.int64
    expected = [
        -1 if s == 0 else SENTIMENTS[2].index("positive" if s > 0 else "negative") for s in scores
    ]
    assert y.tolist() == expected


def test_halves_go_to_the_even_number_and_what_is_missing_stays_missing():
    scores = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, torch.nan])
    assert cut(scores, 7).tolist() == [1, 1, 3, 3, 5, 5, -100]
    assert cut(scores, 2).tolist() == [0, 0, 0, 1, 1, 1, -100]


def test_the_names_go_from_negative_to_positive():
    assert SENTIMENTS[7][3] == "neutral"
    assert len(SENTIMENTS[7]) == 7
    assert SENTIMENTS[2] == ("negative", "positive")
