import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets.sentiment import SENTIMENTS, cut

# The classes by their borders: lowest and highest score, and which of both belong to it.
SEVEN = [
    ("highly negative", -3, -2, "[)"),
    ("negative", -2, -1, "[)"),
    ("weakly negative", -1, 0, "[)"),
    ("neutral", 0, 0, "[]"),
    ("weakly positive", 0, 1, "(]"),
    ("positive", 1, 2, "(]"),
    ("highly positive", 2, 3, "(]"),
]


def by_borders(score):
    (name,) = [
        name
        for name, low, high, ends in SEVEN
        if low < score < high
        or (score == low and ends[0] == "[")
        or (score == high and ends[1] == "]")
    ]
    return name


dtypes = st.sampled_from([torch.float32, torch.float64])


@given(st.lists(st.floats(-3, 3, width=32), min_size=1), dtypes)
def test_seven_classes_are_what_their_borders_say(scores, dtype):
    y = cut(torch.tensor(scores, dtype=dtype), 7)
    assert y.dtype == torch.int64
    assert [SENTIMENTS[7][label] for label in y] == [by_borders(score) for score in scores]


@given(st.lists(st.floats(-3, 3, width=32), min_size=1), dtypes)
def test_two_classes_are_the_signs(scores, dtype):
    y = cut(torch.tensor(scores, dtype=dtype), 2)
    assert y.dtype == torch.int64
    expected = [
        -1 if s == 0 else SENTIMENTS[2].index("positive" if s > 0 else "negative") for s in scores
    ]
    assert y.tolist() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("border", "below", "at", "above"),
    [
        (-3, 0, 0, 0),
        (-2, 0, 1, 1),
        (-1, 1, 2, 2),
        (0.0, 2, 3, 4),
        (-0.0, 2, 3, 4),
        (1, 4, 4, 5),
        (2, 5, 5, 6),
        (3, 6, 6, 6),
    ],
)
def test_every_border_and_its_neighbours(border, below, at, above, dtype):
    here = torch.tensor([border], dtype=dtype)
    scores = torch.cat([here.nextafter(here - 1), here, here.nextafter(here + 1)])
    assert cut(scores, 7).tolist() == [below, at, above]
    two = {0: 0, 1: 0, 2: 0, 3: -1, 4: 1, 5: 1, 6: 1}
    assert cut(scores, 2).tolist() == [two[label] for label in (below, at, above)]


def test_the_names_go_from_negative_to_positive():
    assert [name for name, *_ in SEVEN] == list(SENTIMENTS[7])
    assert SENTIMENTS[2] == ("negative", "positive")
