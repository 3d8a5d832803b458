"""NaN and infinity stay in their conversation."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from graphfusion import (
    MMDFN,
    ContextEncoder,
    Conversation,
    ConversationGraph,
    DynamicFusion,
    SpeakerEncoder,
    UtteranceEncoder,
)
from graphfusion.testing import RaggedBatch
from graphfusion.testing.strategies import batches, models, windows

BAD = [torch.nan, torch.inf, -torch.inf]


def spoil(batch: RaggedBatch, value: float, u: int, m: int) -> tuple[RaggedBatch, Tensor]:
    """The batch with a value in one node, and which utterances are of other conversations."""
    u, m = u % len(batch.x), m % batch.x.size(1)
    x = batch.x.clone()
    x[u, m, 0] = value
    bad = batch.layout.batch == batch.layout.batch[u]
    return batch.with_x(x), ~bad if batch.here[u, m] else torch.ones_like(bad)


def run(model: MMDFN, batch: RaggedBatch, kept: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and gradients of a loss over some utterances."""
    features = {name: x.clone().requires_grad_() for name, x in batch.features.items()}
    logits = model(features, batch.layout)
    loss = logits[kept].square().sum()
    inputs = dict(model.named_parameters()) | features
    gradients = torch.autograd.grad(loss, inputs.values(), allow_unused=True)
    return logits, {n: g for n, g in zip(inputs, gradients, strict=True) if g is not None}


nodes = st.integers(0, 10**6)


@given(st.data(), batches(max_conversations=6), st.sampled_from(BAD), nodes, nodes)
def test_in_a_model_with_any_option(
    data: st.DataObject, batch: RaggedBatch, value: float, u: int, m: int
) -> None:
    model = data.draw(models(batch.x.size(1))).double()
    spoiled, kept = spoil(batch, value, u, m)
    expected, clean = run(model, batch, kept)
    logits, gradients = run(model, spoiled, kept)
    assert torch.equal(logits[kept], expected[kept])
    assert logits[~kept].isnan().all()
    assert gradients.keys() == clean.keys()
    for name, gradient in gradients.items():
        assert gradient.isfinite().all(), name
        if name in batch.features:
            assert torch.equal(gradient[kept], clean[name][kept])


@given(batches(max_conversations=6), windows, st.booleans(), st.sampled_from(BAD), nodes, nodes)
def test_in_single_layers(
    batch: RaggedBatch, past: int | None, gated: bool, value: float, u: int, m: int
) -> None:
    build = ConversationGraph(past)
    fusion = DynamicFusion(5, 3, 2, gated=gated).double()

    def out(batch: RaggedBatch) -> list[Tensor]:
        graph = build(batch.x, batch.layout)
        fused = fusion(batch.x, graph)
        return [fused, graph.propagate(batch.x), graph.impute(fused)]

    spoiled, kept = spoil(batch, value, u, m)
    for got, expected in zip(out(spoiled), out(batch), strict=True):
        assert torch.equal(got[kept], expected[kept])
        assert (got.isnan().flatten(1).any(1) | kept | ~batch.here.any(1)).all()


@given(batches(max_conversations=6), st.sampled_from(BAD), nodes, nodes)
def test_in_single_encoders(batch: RaggedBatch, value: float, u: int, m: int) -> None:
    m = m % batch.x.size(1)
    spoiled, kept = spoil(batch, value, u, m)
    names = list(batch.features)
    settings = {"speaker_weights": dict.fromkeys(names, 1.0), "context": names}
    encoders: list[tuple[torch.nn.Module, Callable[[RaggedBatch], tuple[Any, ...]]]] = [
        (ContextEncoder(5, 2), lambda batch: (batch.x[:, m], batch.layout, m)),
        (SpeakerEncoder(5, 2), lambda batch: (batch.x, batch.layout)),
        (
            UtteranceEncoder(dict.fromkeys(names, 5), 4, **settings),
            lambda batch: (batch.features, batch.layout),
        ),
    ]
    for encoder, arguments in encoders:
        encoder.double()
        expected, got = (encoder(*arguments(each)) for each in (batch, spoiled))
        assert torch.equal(got[kept], expected[kept])
        assert got[~kept].isnan().all()
        got[kept].square().sum().backward()
        for name, weight in encoder.named_parameters():
            assert weight.grad.isfinite().all(), name


@pytest.mark.parametrize(
    ("dtype", "autocast", "value"),
    [
        (torch.float16, None, 7e4),
        (torch.float32, None, 3e38),
        (torch.float32, None, -1e39),  # of float64
        (torch.bfloat16, None, 3e38),
        (torch.float32, torch.float16, 7e4),
        (torch.float64, None, 1e308),
    ],
)
@pytest.mark.parametrize("fitted", [False, True])
def test_a_feature_beyond_the_range_of_the_weights(
    dtype: torch.dtype, autocast: torch.dtype | None, value: float, fitted: bool
) -> None:
    """It is as an infinite one, unless it is clipped by the standardisation."""
    torch.manual_seed(0)
    model = MMDFN({"text": 5, "audio": 4}, 3, num_layers=2, context=["text"], utterance_channels=4)
    kind = torch.float64 if abs(value) > 3.4e38 else torch.float32
    features = {"text": torch.randn(6, 5, dtype=kind), "audio": torch.randn(6, 4)}
    speaker, ptr = torch.tensor([0, 1, 0, 1, 0, 0]), torch.tensor([0, 3, 5, 6])
    if fitted:
        model.standardize.fit([Conversation(features, speaker)])
    model = model.to(dtype).eval()
    features["text"][3, 0] = value
    with torch.autocast("cpu", autocast, enabled=autocast is not None):
        logits = model(features, speaker, ptr)
    assert logits.isnan().any(1).tolist() == [False] * 3 + [not fitted] * 2 + [False]
    logits[:3].float().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is None or weight.grad.isfinite().all(), name


@pytest.mark.parametrize("value", [500.0, 5e3, 6e4])
def test_large_features_of_half_precision_keep_gradients_finite(value: float) -> None:
    """Their projections leave its range, and are clamped."""
    torch.manual_seed(0)
    model = MMDFN({"text": 50}, 3, num_layers=4, context=["text"], utterance_channels=4).half()
    features = {"text": torch.randn(5, 50)}
    features["text"][3] = value
    model(features, torch.tensor([0, 1, 0, 0, 1]), torch.tensor([0, 3, 5]))[:3].sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is None or weight.grad.isfinite().all(), name


def test_no_value_is_read_back() -> None:
    """On the meta device, reading one is an error."""
    model = MMDFN({"text": 5, "audio": 4}, 3, context=["text"]).to("meta")
    features = {"text": torch.empty(3, 5), "audio": torch.empty(3, 4)}
    features = {name: x.to("meta") for name, x in features.items()}
    assert model(features, torch.tensor([0, 1, 0]), torch.tensor([0, 3])).shape == (3, 3)


@pytest.mark.parametrize("present", [None, {"text": torch.tensor([True, False, True])}])
def test_gates_of_a_conversation_with_nan(present: dict[str, Tensor] | None) -> None:
    model = MMDFN({"text": 5, "audio": 4}, 3, num_layers=2).eval()
    features = {"text": torch.randn(3, 5), "audio": torch.randn(3, 4)}
    features["audio"][0] = torch.nan
    speaker, ptr = torch.tensor([0, 1, 0]), torch.tensor([0, 1, 3])
    logits, gates = model(features, speaker, ptr, present, return_gates=True)
    assert logits.isnan().any(1).tolist() == [True, False, False]
    assert gates[:, 0].isnan().all()
    assert gates[:, 1:].isfinite().all()
    if present is not None:
        assert not gates[:, 1, 0].any()
