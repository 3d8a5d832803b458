import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.dropout import Dropout
from graphfusion.testing.strategies import seeds


@given(seeds, st.sampled_from([0.0, 0.1, 0.4, 0.5, 0.9, 1.0]))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_drops_that_share_and_keeps_the_mean(dtype: torch.dtype, seed: int, p: float) -> None:
    torch.manual_seed(seed)
    x = torch.ones(100, 100, dtype=dtype, requires_grad=True)
    out = Dropout(p)(x)
    assert out.dtype == dtype
    dropped = float((out == 0).float().mean())
    assert dropped == pytest.approx(p, abs=0.03)  # six standard deviations
    if p < 1:
        kept = out[out != 0]
        torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)))
    # Its slope is what it multiplied by.
    (gradient,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(gradient, out)


def test_is_a_seeds_own_and_off_in_evaluation() -> None:
    x = torch.randn(50)
    dropout = Dropout(0.5)
    torch.manual_seed(1)
    one = dropout(x)
    assert not torch.equal(dropout(x), one)
    torch.manual_seed(1)
    assert torch.equal(dropout(x), one)
    assert dropout.eval()(x) is x
