"""Autocast on devices that have it, and the range of the dtype that products are computed in.

PyTorch raises an error for autocast on the meta device.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

# How often a value must fit into the range of a dtype, for no layer's sums to leave it. What leaves
# that of float16 is clamped there.
_HEADROOM = 2.0**20

# A dropout of one half still doubles it safely.
_LARGEST_HALF = torch.finfo(torch.float16).max / 2


def is_autocasting(device: torch.device) -> bool:
    """Returns whether autocast is enabled on this device."""
    return _has_autocast(device.type) and torch.is_autocast_enabled(device.type)


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Context in which autocast is disabled on this device."""
    if not _has_autocast(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def largest_input(dtype: torch.dtype, device: torch.device) -> float:
    """Returns the largest absolute feature that layers with weights of a dtype can take."""
    if dtype != torch.float64 and is_autocasting(device):
        dtype = torch.get_autocast_dtype(device.type)
    largest = torch.finfo(dtype).max
    return largest if dtype == torch.float16 else largest / _HEADROOM


def clamp_half(x: Tensor) -> Tensor:
    """Clamps float16, whose range sums soon leave; other dtypes pass unchanged."""
    return x.clamp(-_LARGEST_HALF, _LARGEST_HALF) if x.dtype == torch.float16 else x


# PyTorch 2.11 cannot trace it.
@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _has_autocast(kind: str) -> bool:
    return torch.amp.is_autocast_available(kind)
