"""Finite features give finite values, and every precision gives the same."""

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from graphfusion import MMDFN, BatchLayout, Conversation, focal_loss
from graphfusion.datasets import synthetic
from graphfusion.testing.batches import NAMES, VECTORS

SIZES = dict.fromkeys(NAMES[:2], 5)
# Each stands for the module's dtype and that of autocast.
PRECISIONS = {
    "float32": (torch.float32, None),
    "float64": (torch.float64, None),
    "bfloat16": (torch.bfloat16, None),
    "autocast to bfloat16": (torch.float32, torch.bfloat16),
    "autocast to float16": (torch.float32, torch.float16),
}
KINDS = [kind for kind in VECTORS if kind != "normal"]


def make_model(num_layers: int, gated: bool, dropout: float = 0.2) -> MMDFN:
    return MMDFN(
        SIZES,
        4,
        context=NAMES[:1],
        utterance_channels=5,
        channels=8,
        hidden_channels=6,
        num_layers=num_layers,
        dropout=dropout,
        gated=gated,
    )


def draw(kind: str, precision: str) -> tuple[dict[str, Tensor], BatchLayout]:
    """A few conversations, of one utterance each every other time, with vectors of a kind."""
    dtype, autocast = PRECISIONS[precision]
    longest = 1 if torch.rand(()) < 0.5 else 6
    ptr = torch.tensor([0, *torch.randint(1, longest + 1, (4,)).tolist()]).cumsum(0)
    size = int(ptr[-1])
    # In float16, as far as its numbers go.
    narrow = torch.float16 if autocast == torch.float16 and kind == "huge" else dtype
    x = VECTORS[kind](torch.randn(size, len(SIZES), 5).to(narrow)).to(dtype)
    features = dict(zip(SIZES, x.unbind(1), strict=True))
    masked = torch.rand(()) < 0.5
    present = {name: torch.rand(size) < 0.8 for name in SIZES} if masked else None
    return features, BatchLayout(ptr, torch.randint(0, 2, (size,)), present)


def train(model: MMDFN, kinds: list[str], precision: str, num_steps: int) -> None:
    """Takes steps towards random labels, and checks all there is at each."""
    dtype, autocast = PRECISIONS[precision]
    model.to(dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-4)
    for step in range(num_steps):
        kind = kinds[int(torch.randint(0, len(kinds), ()))]
        features, layout = draw(kind, precision)
        features = {name: value.clone().requires_grad_() for name, value in features.items()}
        with nullcontext() if autocast is None else torch.autocast("cpu", autocast):
            logits = model(features, layout)
        loss = focal_loss(logits, torch.randint(0, 4, (len(logits),)), gamma=0.5)
        optimizer.zero_grad()
        loss.backward()
        gradients = {name: each.grad for name, each in model.named_parameters()}
        gradients |= {name: each.grad for name, each in features.items()}
        optimizer.step()
        everything = {"logits": logits, "loss": loss, **dict(model.named_parameters())}
        everything |= {f"gradient of {name}": each for name, each in gradients.items()}
        for name, value in everything.items():
            # A modality that nothing of the batch has gets no gradient.
            assert value is None or value.isfinite().all(), f"{name} at step {step} on {kind}"


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_training_stays_finite(precision: str, kind: str, gated: bool, num_steps: int) -> None:
    train(make_model(2, gated), [kind], precision, num_steps)


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_training_128_layers_stays_finite(precision: str, gated: bool, num_steps: int) -> None:
    train(make_model(128, gated), list(VECTORS), precision, num_steps)


@pytest.mark.parametrize("gated", [True, False])
def test_float16_stays_finite_in_128_layers_of_the_papers_size(gated: bool) -> None:
    names = ("audio", "visual", "text")
    sizes = {"audio": 400, "visual": 300, "text": 100}
    model = MMDFN.from_preset("iemocap", sizes, 6, num_layers=128, gated=gated)
    features = {name: 1e3 * torch.randn(12, sizes[name]) for name in names}
    with torch.autocast("cpu", torch.float16):
        logits = model(features, torch.arange(12) % 2, torch.tensor([0, 1, 9, 12]))
    assert logits.isfinite().all()
    focal_loss(logits, torch.arange(12) % 6).backward()
    assert all(each.grad.isfinite().all() for each in model.parameters() if each.grad is not None)


@pytest.mark.parametrize("num_layers", [2, pytest.param(128, marks=pytest.mark.slow)])
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("kind", VECTORS)
def test_float32_is_near_float64(kind: str, gated: bool, num_layers: int) -> None:
    model = make_model(num_layers, gated).eval()
    exact = copy.deepcopy(model).double()
    for _ in range(5):
        features, layout = draw(kind, "float32")
        with torch.no_grad():
            logits = model(features, layout)
            expected = exact({name: x.double() for name, x in features.items()}, layout)
        off = (logits - expected).abs().amax(1)
        assert (off <= 1e-4 * expected.abs().amax(1)).all()


@pytest.fixture(scope="module")
def trained() -> tuple[MMDFN, list[Conversation]]:
    """A model trained on synthetic conversations, and others to predict."""
    torch.manual_seed(0)
    corpus = synthetic(num_train=64, num_test=48)
    settings = {"context": ("text",), "channels": 32, "hidden_channels": 16, "num_layers": 4}
    model = MMDFN(corpus.in_channels, corpus.num_classes, dropout=0.2, **settings)
    model.standardize.fit(corpus.splits["train"])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(3):
        for batch in DataLoader(corpus.splits["train"], 8, shuffle=True):
            optimizer.zero_grad()
            focal_loss(model(batch.features, batch.speaker, batch.ptr), batch.y).backward()
            optimizer.step()
    return model.eval(), corpus.splits["test"]


@pytest.mark.parametrize("precision", ["bfloat16", "autocast to bfloat16"])
def test_bfloat16_is_near_float32(
    precision: str, trained: tuple[MMDFN, list[Conversation]]
) -> None:
    model, conversations = trained
    dtype, autocast = PRECISIONS[precision]
    batch = Batch.from_data_list(conversations)
    rough = copy.deepcopy(model).to(dtype)
    features = {name: value.to(dtype) for name, value in batch.features.items()}
    with torch.no_grad():
        expected = model(batch.features, batch.speaker, batch.ptr).argmax(1)
        with nullcontext() if autocast is None else torch.autocast("cpu", autocast):
            predicted = rough(features, batch.speaker, batch.ptr).argmax(1)
    assert (expected == batch.y).float().mean() > 0.8  # it has learnt something
    assert (predicted == expected).float().mean() >= 0.98
