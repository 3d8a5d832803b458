"""What stands in for absent nodes."""

import pytest
import torch
from hypothesis import given
from torch import Tensor

from graphfusion import BatchLayout, ConversationGraph
from graphfusion.testing import RaggedBatch
from graphfusion.testing.strategies import batches, windows
from tests import oracle
from tests.asserts import assert_equal


def impute(x: Tensor, layout: BatchLayout, past: int | None, future: int | None) -> Tensor:
    """By the graph of any nodes: their vectors do not matter."""
    return ConversationGraph(past, future)(torch.ones_like(x), layout).impute(x)


def holds(batch: RaggedBatch, past: int | None, future: int | None) -> None:
    """It is the oracle, and so are its gradients; what lies in absent places does not matter."""
    x = batch.x.masked_fill(~batch.here.unsqueeze(2), torch.nan).requires_grad_()
    filled = impute(x, batch.layout, past, future)
    expected = oracle.fill(x, batch.ptr, batch.here, past, future)
    assert_equal(filled, expected)
    assert torch.equal(filled[batch.here], x[batch.here])
    weight = torch.randn_like(x)
    assert_equal(*(torch.autograd.grad((out * weight).sum(), x)[0] for out in (filled, expected)))


@given(batches(masked=True), windows, windows)
def test_absent_nodes_get_the_mean_of_those_nearby(
    batch: RaggedBatch, past: int | None, future: int | None
) -> None:
    holds(batch, past, future)


@pytest.mark.parametrize("lengths", [[40] * 3, [60, 1, 1, 1, 1, 1, 1, 1], [100]])
@pytest.mark.parametrize(("past", "future"), [(0, 0), (3, 1), (None, 2), (None, None)])
def test_in_both_kinds_of_tiles(lengths: list[int], past: int | None, future: int | None) -> None:
    ptr = torch.tensor([0, *lengths]).cumsum(0)
    x = torch.randn(sum(lengths), 2, 3, dtype=torch.float64)
    present = torch.rand(len(x), 2) < 0.5
    holds(
        RaggedBatch(x, ptr, torch.zeros(len(x), dtype=torch.int64), present, "long"), past, future
    )


@given(batches(masked=False))
def test_without_absent_nodes_it_is_the_identity(batch: RaggedBatch) -> None:
    assert impute(batch.x, batch.layout, None, None) is batch.x


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_gap_may_have_any_length(dtype: torch.dtype) -> None:
    """exp(-distance / 3) is no number of float32 from 312 on."""
    size = 1500
    x = torch.zeros(size, 1, 2, dtype=dtype)
    x[0], x[-1] = 2, -3
    present = torch.zeros(size, 1, dtype=torch.bool)
    present[[0, -1]] = True
    filled = impute(x, BatchLayout(torch.tensor([0, size]), present=present), None, None)
    assert filled.dtype == dtype
    assert (filled[:500] == 2).all()
    assert (filled[1000:] == -3).all()
    assert ((filled > -3) & (filled < 2))[748:752].all()
