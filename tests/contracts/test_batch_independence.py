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
from graphfusion.testing.strategies import NAMES, batches, models, seeds

DTYPES = [torch.float32, torch.float64]


# A single logit may happen to be next to nothing beside the terms it is the sum of.
CLASSES = 6


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
    model = data.draw(models(batch.x.size(1), num_classes=CLASSES)).to(dtype)
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
    model = data.draw(models(batch.x.size(1), num_classes=CLASSES)).to(dtype)
    holds(model, batch.with_x(x.to(dtype)))


@pytest.mark.slow
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
