"""Values that stand for missing ones: found wherever they are, and nothing else is."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import Conversation
from graphfusion.datasets.checks.quality import quality_checks
from graphfusion.testing.strategies import seeds


def messages(x: torch.Tensor, present: torch.Tensor, sizes: list[int]) -> list[str]:
    """The problems of features `[U, d]`, which are split into conversations."""
    *_, check = quality_checks([], ["train"])  # that of features
    for part, here in zip(x.split(sizes), present.split(sizes), strict=True):
        speaker = torch.zeros(len(part), dtype=torch.int64)
        call = Conversation({"text": part}, speaker, present={"text": here}, id="a")
        check.add("train", call)
    return [found for each in check.problems() if "repeats" in (found := str(each))]


@given(seeds, st.sampled_from([-999.0, -1e6, 9999.0]), st.integers(3, 60), st.integers(1, 99))
def test_a_repeated_value_far_from_all_others_is_found(
    seed: int, value: float, repeated: int, cut: int
) -> None:
    """However the utterances are split; and it is fine where the modality is marked absent."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(100, 3, generator=generator)
    rows = torch.randperm(100, generator=generator)[:repeated]
    x[rows, 1] = value
    present = torch.ones(100, dtype=torch.bool)
    (message,) = messages(x, present, [cut, 100 - cut])
    assert f"in 1 of 3 columns, the first: {value:g} in column 1." in message
    present[rows] = False
    assert messages(x, present, [cut, 100 - cut]) == []


@pytest.mark.parametrize("kind", ["normal", "relu", "one-hot", "clipped", "counts", "constant"])
@given(seeds)
def test_usual_features_have_none(kind: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(200, 8, generator=generator)
    made = {
        "normal": x,
        "relu": x.relu(),
        "one-hot": torch.eye(8)[x.argmax(1)],
        "clipped": x.clamp(-1, 1),
        "counts": torch.poisson(x.exp(), generator=generator),
        "constant": torch.full_like(x, -999),
    }[kind]
    assert messages(made, torch.ones(200, dtype=torch.bool), [60, 140]) == []
