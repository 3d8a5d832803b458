"""Calibration and prediction sets."""

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from graphfusion.testing.strategies import seeds
from graphfusion.training.calibration import Calibration
from tests.profiles import in_quick


def draw(size: int, temperature: float, seed: int) -> tuple[Tensor, Tensor]:
    """Probabilities whose logits are too large by the temperature, and labels."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(size, 4, generator=generator, dtype=torch.float64)
    label = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    return (temperature * logits).softmax(1), label


@in_quick(5)
@given(seeds, st.sampled_from([0.5, 1.0, 3.0]))
def test_the_temperature_is_found(seed: int, temperature: float) -> None:
    probability, label = draw(4000, temperature, seed)
    found = Calibration.fit(probability, label)
    assert found.temperature == pytest.approx(temperature, rel=0.15)
    other, truth = draw(4000, temperature, seed + 1)
    measured = found.measure(other, truth)
    assert measured["error scaled"] < 0.05
    assert temperature == 1 or measured["error scaled"] < measured["error"]
    assert torch.equal(found.scale(other).argmax(1), other.argmax(1))


@in_quick(5)
@given(seeds, st.sampled_from([0.5, 0.8, 0.9]))
def test_sets_have_the_given_coverage(seed: int, coverage: float) -> None:
    found = Calibration.fit(*draw(4000, 1.0, seed), coverage)
    measured = found.measure(*draw(4000, 1.0, seed + 1))
    assert measured["coverage"] == pytest.approx(coverage, abs=0.04)
    assert 0 < measured["set size"] <= 4


@given(seeds, st.integers(1, 60), st.sampled_from([0.5, 0.9]))
def test_at_least_that_share_of_the_held_out_ones(seed: int, size: int, coverage: float) -> None:
    probability, label = draw(size, 1.0, seed)
    found = Calibration.fit(probability, label, coverage)
    held = found.sets(probability).gather(1, label.unsqueeze(1)).double().mean()
    assert held >= coverage
    if (1 - coverage) * (size + 1) < 1:
        assert found.sets(probability).all()


def test_a_table_is_calibrated() -> None:
    table = pd.DataFrame({"predicted": ["a", "b"], "a": [0.9, 0.3], "b": [0.1, 0.7]})
    before = table.copy()
    found = Calibration(temperature=0.5, threshold=0.3).apply(table, ["a", "b"])
    assert table.equals(before)
    assert list(found["set"]) == ["a", "b"]
    assert found["a"].tolist() == pytest.approx([0.81 / 0.82, 0.09 / 0.58])
    assert list(Calibration(1.0, 0.0).apply(table, ["b", "a"])["set"]) == ["b+a", "b+a"]
    assert list(Calibration(1.0, 0.8).apply(table, ["a", "b"])["set"]) == ["a", ""]
    with pytest.raises(ValueError, match=r"a column for each class, but lacks \['c'\]"):
        Calibration(1.0, 0.0).apply(table, ["a", "c"])
    with pytest.raises(ValueError, match="must have no column 'set' yet"):
        Calibration(1.0, 0.0).apply(found, ["a", "b"])


def test_no_utterance_is_refused() -> None:
    for values in ((0.0, 0.5), (-1.0, 0.5), (1.0, 1.5), (float("nan"), 0.5)):
        with pytest.raises(ValueError, match="must be"):
            Calibration(*values)
    with pytest.raises(TypeError, match="temperature must be"):
        Calibration("1", 0.5)
    with pytest.raises(ValueError, match="label must have an utterance, but is empty"):
        Calibration.fit(torch.empty(0, 3), torch.empty(0, dtype=torch.int64))


def test_certain_predictions_stay_finite() -> None:
    probability = torch.eye(3, dtype=torch.float64)
    found = Calibration.fit(probability, torch.tensor([1, 1, 2]))
    assert found.scale(probability).isfinite().all()


@pytest.mark.parametrize("size", [9, 19, 29, 99, 999])
def test_sets_leave_out_as_many_as_they_may(size: int) -> None:
    probability, label = draw(size, 1.0, 0)
    found = Calibration.fit(probability, label, 0.9)
    true = found.scale(probability).gather(1, label.unsqueeze(1)).squeeze(1)
    assert int((true < found.threshold).sum()) == (size + 1) // 10 - 1


@pytest.mark.parametrize("coverage", [0, 1, 1.5, 90])
def test_a_coverage_is_a_share(coverage: float) -> None:
    with pytest.raises(ValueError, match="coverage must be"):
        Calibration.fit(*draw(20, 1.0, 0), coverage)


def test_what_cannot_be_fitted() -> None:
    probability = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    for label in ([0, -100], [0, 2]):
        with pytest.raises(ValueError, match=rf"label must be in \[0, 2\), but got {label[1]}"):
            Calibration.fit(probability, torch.tensor(label))
    probability[0, 1] = torch.nan
    with pytest.raises(ValueError, match="probability must be finite, but has NaN"):
        Calibration.fit(probability, torch.tensor([0, 1]))
