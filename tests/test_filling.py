"""What stands in for absent nodes."""

import pytest
import torch
from hypothesis import given

from graphfusion import Geometry
from graphfusion.filling import fill_absent
from graphfusion.testing import RaggedBatch
from graphfusion.testing.strategies import batches, windows
from tests import oracle
from tests.asserts import assert_equal


@given(batches(masked=True), windows, windows)
def test_absent_nodes_get_the_mean_of_those_nearby(
    batch: RaggedBatch, past: int | None, future: int | None
) -> None:
    x = batch.x.masked_fill(~batch.here.unsqueeze(2), 0)
    filled = fill_absent(x, batch.geometry, past, future)
    assert_equal(filled, oracle.fill(batch.x, batch.ptr, batch.here, past, future))
    assert torch.equal(filled[batch.here], batch.x[batch.here])


@given(batches(masked=True), windows, windows)
def test_gradients(batch: RaggedBatch, past: int | None, future: int | None) -> None:
    x = batch.x.masked_fill(~batch.here.unsqueeze(2), 0).requires_grad_()
    weight = torch.randn_like(x)
    got, expected = (
        torch.autograd.grad((filled * weight).sum(), x)[0]
        for filled in (
            fill_absent(x, batch.geometry, past, future),
            oracle.fill(x, batch.ptr, batch.here, past, future),
        )
    )
    assert_equal(got, expected)


@given(batches(masked=False))
def test_where_nothing_is_absent_nothing_is_done(batch: RaggedBatch) -> None:
    assert fill_absent(batch.x, batch.geometry, None, None) is batch.x


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_gap_may_be_as_long_as_it_likes(dtype: torch.dtype) -> None:
    """exp(-distance / 3) is no number of float32 from 312 on."""
    size = 1500
    x = torch.zeros(size, 1, 2, dtype=dtype)
    x[0], x[-1] = 2, -3
    present = torch.zeros(size, 1, dtype=torch.bool)
    present[[0, -1]] = True
    filled = fill_absent(x, Geometry(torch.tensor([0, size]), present=present), None, None)
    assert filled.dtype == dtype
    assert (filled[:500] == 2).all()
    assert (filled[1000:] == -3).all()
    assert ((filled > -3) & (filled < 2))[748:752].all()
