"""Autocast on devices that have it; PyTorch raises an error for the meta device."""

from contextlib import AbstractContextManager, nullcontext

import torch


def is_autocasting(device: torch.device) -> bool:
    """Returns whether autocast is enabled on this device."""
    return _has_autocast(device.type) and torch.is_autocast_enabled(device.type)


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Context in which autocast is disabled on this device."""
    if not _has_autocast(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


# PyTorch 2.11 cannot trace it.
@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _has_autocast(kind: str) -> bool:
    return torch.amp.is_autocast_available(kind)
