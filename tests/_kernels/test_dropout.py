import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion._kernels.dropout import Dropout
from graphfusion.testing.strategies import seeds


@given(seeds, st.sampled_from([0.0, 1e-9, 0.1, 0.4, 0.5, 0.9, 1.0]))
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
        rtol = max(2**-16 / (1 - p), torch.finfo(dtype).eps)  # p comes in steps of 2^-16
        torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=rtol, atol=0)
    # Its slope is what it multiplied by.
    (gradient,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(gradient, out)


@given(seeds)
def test_values_are_dropped_independently(seed: int) -> None:
    torch.manual_seed(seed)
    kept = Dropout(0.5)(torch.ones(40_000)).ne(0).double()
    for apart in range(1, 9):
        both = float((kept[apart:] * kept[:-apart]).mean())
        assert both == pytest.approx(0.25, abs=0.015)  # six standard deviations


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (5,), (3, 1, 3)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    x = torch.ones(shape).mT if len(shape) > 1 else torch.ones(shape)
    out = Dropout(0.5)(x)
    assert out.shape == x.shape
    assert ((out == 0) | (out == 2)).all()


def test_draws_for_four_values_at_once_or_uses_pytorch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = torch.ones(4001)
    torch.manual_seed(3)
    Dropout(0.3)(x)
    ours = torch.random.get_rng_state()
    torch.manual_seed(3)
    torch.empty(1001, dtype=torch.int64).random_(-(2**63), None)
    assert torch.equal(torch.random.get_rng_state(), ours)
    assert Dropout(0.3)(x.to("meta")).is_meta
    for p in (0.0, 1.0):
        torch.manual_seed(3)
        state = torch.random.get_rng_state()
        assert torch.equal(Dropout(p)(x), (1 - p) * x)
        assert torch.equal(torch.random.get_rng_state(), state)
    for owner, name in ((torch.compiler, "is_compiling"), (torch.jit, "is_tracing")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, lambda: True)
            torch.manual_seed(3)
            traced = Dropout(0.3)(x)
        torch.manual_seed(3)
        assert torch.equal(traced, torch.nn.functional.dropout(x, 0.3))


def test_works_where_another_device_is_the_default() -> None:
    x = torch.ones(5)
    with torch.device("meta"):
        assert Dropout(0.5)(x).device == x.device


def test_a_probability_near_one_stays_finite() -> None:
    out = Dropout(1 - 1e-9)(torch.ones(1000))
    assert out.isfinite().all()
    assert (out == 0).float().mean() > 0.9


def test_depends_on_the_seed_and_is_off_in_evaluation() -> None:
    x = torch.randn(50)
    dropout = Dropout(0.5)
    torch.manual_seed(1)
    one = dropout(x)
    assert not torch.equal(dropout(x), one)
    torch.manual_seed(1)
    assert torch.equal(dropout(x), one)
    assert dropout.eval()(x) is x
