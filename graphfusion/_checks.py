"""Argument checks; each error names the argument, what was expected and what came."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def check_tensor(
    name: str, value: object, shape: Sequence[int | str], dtype: torch.dtype | None = None
) -> None:
    """Checks a tensor's type, shape and dtype; no value is read, so no device synchronises.

    Args:
        name: The argument's name, for the message.
        value: What the caller passed.
        shape: A size an axis; a letter stands for any size, "..." in front for any axes.
        dtype: The dtype that it must have; None asks for any floating dtype.

    Raises:
        TypeError: If `value` is not a tensor, or has another dtype.
        ValueError: If `value` has another shape.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, but got {type(value).__name__}.")
    if (not value.is_floating_point()) if dtype is None else (value.dtype != dtype):
        expected = "of a floating dtype" if dtype is None else f"of dtype {dtype}"
        raise TypeError(f"{name} must be {expected}, but got {value.dtype}.")
    sizes, wanted = list(value.shape), list(shape)
    if wanted[0] == "...":
        wanted = wanted[1:]
        sizes = sizes[max(len(sizes) - len(wanted), 0) :]
    fits = len(sizes) == len(wanted) and all(
        isinstance(want, str) or size == want for size, want in zip(sizes, wanted, strict=True)
    )
    if not fits:
        expected = ", ".join(str(size) for size in shape)
        raise ValueError(f"{name} must have shape [{expected}], but got {list(value.shape)}.")


def check_dtype(name: str, value: Tensor, parameter: Tensor) -> None:
    """Checks that a tensor has the dtype of a module's parameter, except under autocast."""
    if value.dtype != parameter.dtype and not torch.is_autocast_enabled(value.device.type):
        raise TypeError(
            f"{name} must be of the module's dtype {parameter.dtype}, but got {value.dtype}."
        )


def check_size(name: str, value: int, least: int = 1) -> None:
    """Checks that a size is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, but got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, but got {value}.")


def check_real(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Checks that a number is finite and lies in `[low, high]`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, but got {value!r}.")
    if not (low <= value <= high and math.isfinite(value)):
        interval = f"at least {low:g}" if high == math.inf else f"in [{low:g}, {high:g}]"
        raise ValueError(f"{name} must be finite and {interval}, but got {value}.")
