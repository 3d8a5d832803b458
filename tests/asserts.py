"""What several modules must hold to."""

import copy
import pickle

import torch
from torch import Tensor


def assert_equal(a: Tensor, b: Tensor, rtol: float = 1e-9) -> None:
    """The same up to rounding in float64, relative to the largest entry."""
    assert a.shape == b.shape
    assert torch.isfinite(a).all()
    assert torch.isfinite(b).all()
    scale = max(1.0, float(b.detach().abs().max())) if b.numel() else 1.0
    torch.testing.assert_close(a, b, rtol=0, atol=rtol * scale)


def assert_every_parameter_learns(module: torch.nn.Module, out: Tensor) -> None:
    """Every parameter receives a finite gradient that is not all zero."""
    module.zero_grad()
    (out * torch.randn_like(out)).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def assert_saves(module: torch.nn.Module, *args: object) -> None:
    """A pickled copy, and a fresh copy with the state dict, compute the same."""
    module.eval()
    expected = module(*args)
    assert torch.equal(pickle.loads(pickle.dumps(module))(*args), expected)
    fresh = copy.deepcopy(module)
    fresh.reset_parameters()
    for one, other in zip(fresh.parameters(), module.parameters(), strict=True):
        assert not torch.equal(one, other)
    fresh.load_state_dict(module.state_dict())
    assert torch.equal(fresh(*args), expected)
