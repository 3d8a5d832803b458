"""How many kernels MM-DFN launches on a GPU, and what a CUDA graph of it asks for.

Counted on the meta device, where PyTorch dispatches an operator without running it. Each operator
that is neither a view nor an allocation counts as one kernel; an LSTM cell and dropout are one
each, as on CUDA. Recurrent encoders are left out: cuDNN decides there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from graphfusion import MMDFN, BatchLayout, focal_loss
from graphfusion._kernels import switch
from tests.operations import Operations, as_on_a_gpu, without_recurrence

SIZES = {"audio": 1582, "visual": 342, "text": 100}
LENGTHS = (30, 50)
# (training, masked, window): the kernels of graph, projections, head and loss, and of each layer.
KERNELS = {
    (False, False, None): (122, 11),
    (False, False, 10): (133, 11),
    (False, True, None): (153, 11),
    (False, True, 10): (165, 11),
    (True, False, None): (279, 37),
    (True, False, 10): (295, 37),
    (True, True, None): (327, 37),
    (True, True, 10): (344, 37),
}
CASES = pytest.mark.parametrize(("training", "masked", "window"), KERNELS)


def model_of(num_layers: int = 16, window: int | None = None) -> MMDFN:
    """MM-DFN with the settings of the paper."""
    return MMDFN.from_preset("iemocap", SIZES, 6, num_layers=num_layers, past=window, future=window)


def layout_of(masked: bool) -> BatchLayout:
    size = sum(LENGTHS)
    masks = {name: torch.arange(size) % (m + 3) > 0 for m, name in enumerate(SIZES)}
    ptr = torch.tensor([0, *LENGTHS]).cumsum(0)
    return BatchLayout(ptr, torch.arange(size) % 2, masks if masked else None)


def features_on(device: str) -> dict[str, Tensor]:
    return {name: torch.empty(sum(LENGTHS), d, device=device) for name, d in SIZES.items()}


def step(
    model: MMDFN, features: dict[str, Tensor], layout: BatchLayout, training: bool
) -> Operations:
    """An inference, or a training step: forward, loss and backward."""
    model.train(training)
    y = torch.zeros(sum(LENGTHS), dtype=torch.int64, device=layout.ptr.device)
    with torch.set_grad_enabled(training), Operations() as operations:
        logits = model(features, layout)
        if training:
            loss = focal_loss(logits, y)
            torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return operations


@CASES
def test_kernels_are_linear_in_the_layers(
    training: bool, masked: bool, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_on_a_gpu(monkeypatch)
    features, layout = features_on("meta"), layout_of(masked).to("meta")
    base, per_layer = KERNELS[training, masked, window]
    for num_layers in (1, 16):
        model = model_of(num_layers, window).to("meta")
        kernels = step(model, features, layout, training).kernels
        # PyTorch 2.8 launches two more in a training step.
        more = kernels.total() - base - per_layer * num_layers
        assert more in ({0, 2} if training else {0}), kernels


def test_the_kernels_of_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell and its products, propagation within and across modalities, the mixing map."""
    as_on_a_gpu(monkeypatch)
    features, layout = features_on("meta"), layout_of(masked=False).to("meta")
    more, fewer = (
        step(model_of(num_layers).to("meta"), features, layout, training=False).kernels
        for num_layers in (3, 2)
    )
    cell = {"_thnn_fused_lstm_cell": 1}
    propagation = {"index_select": 2, "bmm": 1, "baddbmm": 1}
    products = {"mm": 3}  # two of the cell, one of H0
    mixing = {"addmm": 1, "relu_": 1, "add": 1}
    assert more - fewer == cell | propagation | products | mixing


def test_one_conversation_is_propagated_without_gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    as_on_a_gpu(monkeypatch)
    size = sum(LENGTHS)
    layout = BatchLayout(torch.tensor([0, size]), torch.arange(size) % 2).to("meta")
    more, fewer = (
        step(model_of(num_layers).to("meta"), features_on("meta"), layout, training=False).kernels
        for num_layers in (3, 2)
    )
    assert "index_select" not in more - fewer
    base, _ = KERNELS[False, False, None]
    assert (fewer.total(), more.total()) == (base + 9 * 2, base + 9 * 3)  # as the page says


@CASES
def test_a_layout_leaves_nothing_to_the_host(
    training: bool, masked: bool, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No tensor is made there, and none read back: `Operations` refuses that."""
    without_recurrence(monkeypatch)
    features, layout = features_on("meta"), layout_of(masked).to("meta")
    assert not step(model_of(2, window).to("meta"), features, layout, training).on_host


@pytest.mark.parametrize(("masked", "window"), [(False, None), (True, None), (True, 10)])
def test_shapes_depend_only_on_the_layout(
    masked: bool, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a CUDA graph asks for: other values dispatch the same operators with the same shapes."""
    monkeypatch.setattr(switch, "ENABLED", False)  # what runs on a GPU, on real values
    without_recurrence(monkeypatch)
    model, layout = model_of(2, window), layout_of(masked)
    calls = []
    for value in (torch.rand, torch.zeros, lambda *shape: torch.full(shape, torch.nan)):
        features = {name: value(sum(LENGTHS), d) for name, d in SIZES.items()}
        calls.append(step(model, features, layout, training=True).calls)
    assert calls[0] == calls[1] == calls[2]


@contextmanager
def fake_cuda() -> Iterator[None]:
    """Tensors on CUDA without values, where the build of PyTorch can make and index them."""
    # No encoder runs, and a build without cuDNN warns of it.
    with FakeTensorMode(allow_non_fake_inputs=True), torch.backends.cudnn.flags(enabled=False):
        try:
            torch.empty(2, device="cuda:0")[:1]
        except RuntimeError as error:
            pytest.skip(f"no CUDA tensors without values: {error}")
        yield


@pytest.mark.parametrize(("masked", "window"), [(False, None), (True, None), (True, 10)])
def test_cuda_dispatches_as_many(
    masked: bool, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the device itself, where nothing stands in for the LSTM cell."""
    without_recurrence(monkeypatch)
    model, layout = model_of(16, window).to("meta"), layout_of(masked)
    with fake_cuda():
        model, layout = model.to_empty(device="cuda:0"), layout.to("cuda:0")
        operations = step(model, features_on("cuda:0"), layout, training=False)
    base, per_layer = KERNELS[False, masked, window]
    assert operations.kernels.total() == base + per_layer * 16, operations.kernels
    assert not operations.on_host


def test_the_page_of_benchmarks_has_these_counts() -> None:
    page = Path(__file__).parents[2] / "docs/reference/benchmarks.md"
    told = page.read_text(encoding="utf-8")
    for (training, masked, window), (base, per_layer) in KERNELS.items():
        if masked and window:
            continue
        name = "training step" if training else "inference"
        name += ", with a mask" if masked else ", with a window" if window else ""
        total = base + per_layer * 16
        assert f"| {name} | {base} + {per_layer} L | {total} |" in told
