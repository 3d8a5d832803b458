import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import angular_similarity
from graphfusion.testing.strategies import seeds


@given(seeds, st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))
def test_is_the_formula(seed: int, rows: int, columns: int, channels: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(rows, channels, dtype=torch.float64, generator=generator)
    b = torch.randn(columns, channels, dtype=torch.float64, generator=generator)
    cosine = torch.nn.functional.cosine_similarity(a.unsqueeze(1), b.unsqueeze(0), dim=-1)
    expected = 1 - torch.arccos(0.99999 * cosine) / math.pi
    torch.testing.assert_close(angular_similarity(a, b), expected, rtol=0, atol=1e-9)


@given(seeds, st.sampled_from([1e-25, 1e-5, 1.0, 1e15]), st.sampled_from([1e-25, 1.0, 1e15]))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_does_not_depend_on_scale(dtype: torch.dtype, seed: int, left: float, right: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(3, 8, generator=generator).to(dtype)
    b = torch.randn(4, 8, generator=generator).to(dtype)
    scaled_a, scaled_b = (a * left).requires_grad_(), (b * right).requires_grad_()
    out = angular_similarity(scaled_a, scaled_b)
    # Scaling rounds, most in bfloat16.
    torch.testing.assert_close(
        out, angular_similarity(a, b), rtol=0, atol=20 * torch.finfo(dtype).eps
    )
    assert out.dtype == torch.promote_types(dtype, torch.float32)
    out.sum().backward()
    assert scaled_a.grad.isfinite().all()
    assert scaled_b.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_extreme_angles_are_finite(dtype: torch.dtype) -> None:
    x = torch.tensor([[0, 0, 0], [1, 2, 3], [1, 2, 3], [-1, -2, -3], [2, 4, 6]], dtype=dtype)
    x.requires_grad_()
    out = angular_similarity(x, x)
    out.sum().backward()
    out = out.detach()
    assert x.grad.isfinite().all()
    half = torch.full((5,), 0.5, dtype=out.dtype)
    torch.testing.assert_close(out[0], half)
    torch.testing.assert_close(out[:, 0], half)
    shrunk = 1 - math.acos(0.99999) / math.pi
    tolerance = 1e-12 if dtype == torch.float64 else 1e-4
    assert float(out[1, 2]) == pytest.approx(shrunk, abs=tolerance)
    assert float(out[1, 4]) == pytest.approx(shrunk, abs=tolerance)
    assert float(out[1, 3]) == pytest.approx(1 - shrunk, abs=tolerance)
    assert ((out > 0) & (out < 1)).all()


@pytest.mark.parametrize("scale", [1e-45, 1e-40, 1e-37, 1e-33, 1e-30])
def test_the_shortest_vectors_have_finite_gradients(scale: float) -> None:
    a = (torch.randn(3, 4) * scale).requires_grad_()
    angular_similarity(a, torch.randn(2, 4)).sum().backward()
    assert a.grad.isfinite().all()


def test_autocast_does_not_round_the_angle() -> None:
    a, b = torch.randn(4, 16), torch.randn(5, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = angular_similarity(a, b)
    torch.testing.assert_close(out, angular_similarity(a, b), rtol=0, atol=0)


def test_gradcheck() -> None:
    a = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    b = torch.randn(2, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(angular_similarity, (a, b))


def test_bad_input() -> None:
    with pytest.raises(TypeError, match="a must be a tensor, but got list"):
        angular_similarity([1.0], torch.ones(1, 1))
    with pytest.raises(TypeError, match="b must be of a floating dtype, but got torch.int64"):
        angular_similarity(torch.ones(1, 1), torch.ones(1, 1, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"a must have shape \[\.\.\., S, C\], but got \[3\]"):
        angular_similarity(torch.ones(3), torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"b must have shape \[K, 2\], but got \[1, 3\]"):
        angular_similarity(torch.ones(1, 2), torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"b must have shape \[2, K, 3\], but got \[1, 4, 3\]"):
        angular_similarity(torch.ones(2, 4, 3), torch.ones(1, 4, 3))
    with pytest.raises(ValueError, match=r"a must not be empty, but got shape \[2, 0\]"):
        angular_similarity(torch.ones(2, 0), torch.ones(2, 0))
    with pytest.raises(TypeError, match="b must be of the module's dtype torch.float32, but got"):
        angular_similarity(torch.ones(1, 2), torch.ones(1, 2).double())


def test_second_derivatives_are_finite_at_a_zero_vector() -> None:
    a = torch.randn(3, 4, dtype=torch.float64)
    a[1] = 0
    a.requires_grad_()
    out = angular_similarity(a, torch.randn(2, 4, dtype=torch.float64))
    (first,) = torch.autograd.grad(out.square().sum(), a, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), a)
    assert second.isfinite().all()
    assert not second[1].any()
    assert second[[0, 2]].any()
