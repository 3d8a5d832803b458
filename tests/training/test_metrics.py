"""Scores: what the formulas say, and what has no label does not count."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.training.metrics import GOALS, Goal, Scores


def scores_of(task: str, logits: torch.Tensor, y: torch.Tensor, sentiment: bool = False):
    scores = Scores(task, logits.size(1), sentiment)
    half = len(y) // 2  # in two batches, of which one may be empty
    for part in (slice(None, half), slice(half, None)):
        if len(y[part]):
            scores.update(logits[part], y[part])
    return scores.compute()


def weighted_f1(y: np.ndarray, found: np.ndarray) -> float:
    total = 0.0
    for k in np.unique(y):
        both = ((y == k) & (found == k)).sum()
        total += (y == k).sum() * 2 * both / ((y == k).sum() + (found == k).sum())
    return total / len(y)


@given(st.lists(st.integers(-1, 2), min_size=1, max_size=30), st.integers(0, 99))
def test_classes(labels: list[int], seed: int) -> None:
    y = torch.tensor([-100 if label < 0 else label for label in labels])
    logits = torch.randn(len(y), 3, generator=torch.Generator().manual_seed(seed))
    known = y >= 0
    found = scores_of("classification", logits, y)
    if not known.any():
        assert all(map(math.isnan, found.values()))
        return
    truth, guess = y[known].numpy(), logits.argmax(1)[known].numpy()
    assert found["accuracy"] == pytest.approx((truth == guess).mean())
    assert found["f1"] == pytest.approx(weighted_f1(truth, guess))


@given(st.lists(st.floats(-3, 3) | st.just(math.nan), min_size=2, max_size=30), st.integers(0, 99))
def test_scores_of_sentiment(labels: list[float], seed: int) -> None:
    y = torch.tensor(labels, dtype=torch.float32)
    logits = 2 * torch.randn(len(y), 1, generator=torch.Generator().manual_seed(seed))
    found = scores_of("regression", logits, y, sentiment=True)
    known = ~y.isnan()
    truth, guess = y[known].double().numpy(), logits.flatten()[known].double().numpy()
    assert found.keys() == {"mae", "corr", "acc2", "f1", "acc7"}
    if not known.any():
        assert all(map(math.isnan, found.values()))
        return
    assert found["mae"] == pytest.approx(np.abs(truth - guess).mean())
    assert found["acc7"] == pytest.approx(
        (np.clip(truth, -3, 3).round() == np.clip(guess, -3, 3).round()).mean()
    )
    signed = truth != 0
    if signed.any():
        positive = truth[signed] > 0, guess[signed] > 0
        assert found["acc2"] == pytest.approx((positive[0] == positive[1]).mean())
        assert found["f1"] == pytest.approx(weighted_f1(*positive))
    if known.sum() > 2 and truth.std() > 1e-2:
        assert found["corr"] == pytest.approx(np.corrcoef(truth, guess)[0, 1], abs=1e-5)


def test_a_correlation_of_large_scores() -> None:
    y = 1e6 + torch.arange(8.0)
    assert scores_of("regression", y.unsqueeze(1), y)["corr"] == pytest.approx(1)


def test_several_labels() -> None:
    logits = torch.tensor([[5.0, -5.0], [5.0, 5.0], [-5.0, 5.0]])
    y = torch.tensor([[1.0, 0.0], [1.0, math.nan], [1.0, 1.0]])
    found = scores_of("multilabel", logits, y)
    assert found["f1"] == pytest.approx((3 * 0.8 + 1 * 1.0) / 4)


def test_scores_are_forgotten() -> None:
    scores = Scores("classification", 2)
    scores.update(torch.eye(2), torch.tensor([0, 1]))
    scores.reset()
    assert math.isnan(scores.compute()["f1"])
    scores.update(torch.eye(2), torch.tensor([1, 0]))
    assert scores.compute()["accuracy"] == 0


def test_the_first_of_the_best_is_chosen() -> None:
    assert Goal("f1", "max").best([math.nan, 0.1, 0.3, 0.3]) == 2
    assert Goal("mae", "min").best([0.4, 0.2, math.nan, 0.2]) == 1
    assert GOALS["regression"].mode == "min"
