"""Autocast, on devices that have it: the meta device has not, and refuses to be asked."""

from contextlib import AbstractContextManager, nullcontext

import torch


def is_autocasting(device: torch.device) -> bool:
    """Whether autocast will choose the dtypes of what is computed on this device."""
    kind = device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Within it, what is computed on this device keeps its dtype."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
