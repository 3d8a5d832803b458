"""The whole MM-DFN under `torch.compile`: one graph for each case, whatever the lengths."""

from collections.abc import Callable, Iterable, Iterator

import pytest
import torch
import torch._dynamo.testing
from torch import Tensor
from torch._dynamo.utils import counters
from torch.fx.experimental import _config as config

from graphfusion import MMDFN, BatchLayout
from graphfusion._kernels import switch
from tests._versions import needs_torch

SIZES = {"text": 5, "audio": 4}
# Short windows over these are bands, and no window at all is blocks.
LENGTHS = [(14, 17, 12), (13, 19), (22, 13), (60, 3, 40), (20, 20, 20, 20)]
# Tracing PyTorch's own code warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    needs_torch("2.13", "the compiler over a whole model"),
]


@pytest.fixture(autouse=True)
def every_size_its_own() -> Iterator[None]:
    """Else two sizes that happen to be equal in the first batch are taken for one."""
    torch.compiler.reset()
    counters.clear()
    with config.patch(use_duck_shape=False):
        yield


def packed(lengths: tuple[int, ...], masked: bool) -> tuple[dict[str, Tensor], BatchLayout]:
    size = sum(lengths)
    features = {name: torch.randn(size, d) for name, d in SIZES.items()}
    present = {name: torch.rand(size) < 0.7 for name in SIZES} if masked else None
    ptr = torch.tensor([0, *lengths]).cumsum(0)
    return features, BatchLayout(ptr, torch.arange(size) % 3, present)


def model_of(past: int | None = None, **kwargs: object) -> MMDFN:
    small = {"channels": 6, "hidden_channels": 4, "num_layers": 1, "context": ("text",)}
    small |= {"dropout": 0.0, "past": past, "future": past}
    model = MMDFN(SIZES, 3, **(small | kwargs))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return model


def step(run: Callable[..., Tensor], model: MMDFN, batch: tuple[object, ...]) -> list[Tensor]:
    """The logits and all gradients."""
    model.zero_grad()
    logits = run(*batch)
    (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum().backward()
    return [logits.detach(), *(weight.grad for weight in model.parameters())]


CASES = [  # masked or not, in a window or not
    (True, 1),
    pytest.param(False, None, marks=pytest.mark.slow),
    pytest.param(True, None, marks=pytest.mark.nightly),
    pytest.param(False, 1, marks=pytest.mark.nightly),
]


def assert_one_graph(
    model: MMDFN, masked: bool, backend: str = "eager", batches: list[tuple[int, ...]] = LENGTHS
) -> None:
    counter = torch._dynamo.testing.CompileCounterWithBackend(backend)
    fast = torch.compile(model, backend=counter, fullgraph=True, dynamic=True)
    compiled = []
    for lengths in batches:
        batch = packed(lengths, masked)
        for one, other in zip(step(fast, model, batch), step(model, model, batch), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
        compiled.append(counter.frame_count)
    # PyTorch's AOTAutograd begins once more where it finds a number that it took for an input.
    assert compiled[-1] == compiled[0]
    assert backend != "eager" or compiled[0] == 1
    assert not counters["graph_break"]


@pytest.mark.parametrize(("masked", "past"), CASES)
def test_a_case_is_one_graph_forward_and_backward(masked: bool, past: int | None) -> None:
    assert_one_graph(model_of(past), masked)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "encoded"),
    [
        ("aot_eager", ["text"]),
        pytest.param("aot_eager", SIZES, marks=pytest.mark.nightly),
        pytest.param("inductor", SIZES, marks=pytest.mark.nightly),
    ],
)
def test_the_backward_is_compiled_too(backend: str, encoded: Iterable[str]) -> None:
    """With speaker encoders for some modalities: tracing each takes as long as all the rest."""
    weights = {name: float(name in encoded) for name in SIZES}
    assert_one_graph(model_of(context=(), speaker_weights=weights), True, backend, LENGTHS[:2])


OPTIONS = {
    "causal": {"causal": True, "future": None},
    "ours": {"speaker_normalized": ["audio"], "utterance_channels": 5},
    "no gate": {"gated": False, "concat": False},
    "no speakers": {"speaker_weights": dict.fromkeys(SIZES, 0.0), "context": ()},
    "checkpoint": {"checkpoint": True},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "option",
    [
        "ours",
        *(pytest.param(each, marks=pytest.mark.nightly) for each in OPTIONS if each != "ours"),
    ],
)
def test_so_is_every_other_model(option: str) -> None:
    assert_one_graph(model_of(**OPTIONS[option]).eval(), True, batches=LENGTHS[:2])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of PyTorch's own, where it gives up
def test_the_switch_leaves_the_encoders_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which cannot be traced: the graph breaks there, and the model is the same."""
    monkeypatch.setattr(switch, "ENABLED", False)
    model = model_of().eval()
    fast = torch.compile(model, backend="eager", dynamic=True)
    batch = packed(LENGTHS[0], masked=False)
    torch.testing.assert_close(fast(*batch), model(*batch))
    assert counters["graph_break"]
