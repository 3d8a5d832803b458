"""A conversation's logits are the same alone and in any batch, in any place of it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from graphfusion import MMDFN, BatchLayout
from graphfusion.testing import (
    RaggedBatch,
    assert_batch_independent,
    assert_permutation_equivariant,
    assert_shape_and_dtype,
)
from graphfusion.testing.batches import VECTORS
from graphfusion.testing.strategies import NAMES, batches, seeds, windows

DTYPES = [torch.float32, torch.float64]


@st.composite
def models(draw: st.DrawFn, num_modalities: int) -> MMDFN:
    """A model with any of its options."""
    names = NAMES[:num_modalities]
    torch.manual_seed(draw(seeds))
    causal = draw(st.booleans())
    return MMDFN(
        dict.fromkeys(names, 5),
        # A single logit may happen to be next to nothing beside the terms it is the sum of.
        num_classes=6,
        speaker_weights={name: draw(st.sampled_from([0.0, 1.0, 3.0])) for name in names},
        context=[name for name in names if draw(st.booleans())],
        speaker_normalized=[name for name in names if not causal and draw(st.booleans())],
        utterance_channels=draw(st.sampled_from([None, 4])),
        channels=draw(st.sampled_from([2, 8])),
        hidden_channels=draw(st.integers(4, 8)),
        num_layers=draw(st.sampled_from([1, 2, 16])),
        alpha=draw(st.sampled_from([0.0, 0.2, 1.0])),
        theta=draw(st.sampled_from([0.0, 0.5, 2.0])),
        past=draw(windows),
        future=None if causal else draw(windows),
        cross_weight=draw(st.sampled_from([0.0, 0.7, 1.0])),
        gated=draw(st.booleans()),
        concat=draw(st.booleans()),
        checkpoint=draw(st.booleans()),
        causal=causal,
    ).eval()


def holds(model: MMDFN, batch: RaggedBatch) -> None:
    def run(x: Tensor, layout: BatchLayout) -> Tensor:
        return model(batch.with_x(x).features, layout)

    assert_shape_and_dtype(run, batch, [len(batch.x), model.num_classes])
    assert_batch_independent(run, batch)
    assert_permutation_equivariant(run, batch, utterances=False, modalities=False)


@given(st.data(), batches(max_conversations=6), st.sampled_from(sorted(VECTORS)))
@pytest.mark.parametrize("dtype", DTYPES)
def test_under_every_option(
    dtype: torch.dtype, data: st.DataObject, batch: RaggedBatch, kind: str
) -> None:
    model = data.draw(models(batch.x.size(1))).to(dtype)
    holds(model, batch.with_x(VECTORS[kind](batch.x.to(dtype))))


@given(st.data(), batches(max_conversations=6, odd_vectors=False), seeds)
@pytest.mark.parametrize("dtype", DTYPES)
def test_beside_others_of_any_scale(
    dtype: torch.dtype, data: st.DataObject, batch: RaggedBatch, seed: int
) -> None:
    """They share blocks, where what is not received is multiplied by zero."""
    generator = torch.Generator().manual_seed(seed)
    scales = torch.tensor([0.0, 1e-40, 1.0, 1e15], dtype=torch.float64)
    of_conversation = scales[torch.randint(0, 4, (len(batch.ptr) - 1,), generator=generator)]
    x = batch.x * of_conversation[batch.layout.batch].view(-1, 1, 1)
    model = data.draw(models(batch.x.size(1))).to(dtype)
    holds(model, batch.with_x(x.to(dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("past", [None, 10])
@pytest.mark.parametrize("masked", [False, True])
def test_at_the_size_of_the_paper(dtype: torch.dtype, past: int | None, masked: bool) -> None:
    ptr = torch.tensor([0, 110, 115, 116, 170, 192])
    size, names = int(ptr[-1]), NAMES[:3]
    model = MMDFN(dict.fromkeys(names, 50), 6, context=names[:1], past=past, future=past)
    x = torch.randn(size, 3, 50, dtype=dtype)
    present = torch.rand(size, 3) < 0.8 if masked else None
    holds(
        model.to(dtype).eval(), RaggedBatch(x, ptr, torch.randint(0, 2, (size,)), present, "paper")
    )
