import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import MMDFN
from graphfusion.export import StreamingStep
from graphfusion.testing.strategies import seeds
from tests.asserts import assert_equal
from tests.profiles import in_quick

SIZES = {"text": 5, "audio": 4}
OPTIONS = {
    "no window": {},
    "window": {"past": 3},
    "nothing": {"past": 0},
    "no speakers": {"speaker_weights": dict.fromkeys(SIZES, 0.0), "past": 2},
    "no gate": {"gated": False, "context": ()},
}


@in_quick(5)
@given(seeds, st.integers(1, 3), st.integers(1, 8))
@pytest.mark.parametrize("option", OPTIONS)
def test_is_a_step_of_the_stream(option: str, seed: int, size: int, steps: int) -> None:
    torch.manual_seed(seed)
    small = {"channels": 6, "hidden_channels": 4, "num_layers": 2, "context": ("text",)}
    model = MMDFN(SIZES, 3, causal=True, **(small | OPTIONS[option])).double()
    stream, step = model.stream(size), StreamingStep(model)
    state = step.start(size, 3)
    for _ in range(steps):
        features = {name: torch.randn(size, d, dtype=torch.float64) for name, d in SIZES.items()}
        present = {name: torch.rand(size) < 0.7 for name in SIZES}
        speaker = torch.randint(0, 3, (size,))
        before = {key: value.clone() for key, value in state.items()}
        logits, after = step(features, speaker, present, state)
        assert_equal(logits, stream.step(features, speaker, present=present))
        assert after.keys() == state.keys()
        for key, value in before.items():
            assert torch.equal(state[key], value)
        state = after
    if "past" in OPTIONS[option]:
        assert {key: value.shape for key, value in state.items()} == {
            key: value.shape for key, value in step.start(size, 3).items()
        }


def test_refuses_a_model_that_is_not_causal() -> None:
    with pytest.raises(ValueError, match="causal must be True"):
        StreamingStep(MMDFN(SIZES, 3))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e39])
def test_refuses_values_that_every_later_prediction_would_get(value: float) -> None:
    step = StreamingStep(MMDFN({"text": 5}, 3, num_layers=2, causal=True))
    features = {"text": torch.full((1, 5), value, dtype=torch.float64)}
    given = torch.tensor([0]), {"text": torch.tensor([True])}, step.start(1, 2)
    with pytest.raises(ValueError, match=r"features\['text'\] must be"):
        step(features, *given)
