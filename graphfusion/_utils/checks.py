"""Argument checks, whose errors name the argument, the expected value and the given one."""

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor

from graphfusion._utils.autocast import is_autocasting


def check_tensor(
    name: str, value: object, shape: Sequence[int | str], dtype: torch.dtype | None = None
) -> None:
    """Checks a tensor's type, shape and dtype, without reading its values.

    Reading values would synchronise with the device.

    Args:
        name: The argument's name, for the message.
        value: What the caller passed.
        shape: The size of each axis. A letter accepts any size; a leading "..." any further axes.
        dtype: The required dtype; None: any floating dtype.

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
    if wanted[:1] == ["..."]:
        wanted = wanted[1:]
        sizes = sizes[max(len(sizes) - len(wanted), 0) :]
    fits = len(sizes) == len(wanted) and all(
        isinstance(want, str) or size == want for size, want in zip(sizes, wanted, strict=True)
    )
    if not fits:
        expected = ", ".join(str(size) for size in shape)
        raise ValueError(f"{name} must have shape [{expected}], but got {list(value.shape)}.")


def check_dtype(name: str, value: Tensor, like: Tensor) -> None:
    """Checks that a tensor has the dtype of a weight; autocast also accepts other dtypes."""
    autocast = is_autocasting(value.device) and value.dtype != torch.float64
    if value.dtype != like.dtype and not autocast:
        raise TypeError(
            f"{name} must be of the module's dtype {like.dtype}, but got {value.dtype}."
        )


def all_finite(value: Tensor) -> bool:
    """Returns whether all values are finite, without allocating a mask of the same size."""
    if value.dtype.itemsize == 1:  # PyTorch has no `aminmax` for these dtypes
        return bool(value.isfinite().all())
    low, high = value.detach().aminmax()  # both are NaN if any value is
    return bool(low.isfinite() & high.isfinite())


def check_finite(name: str, value: Tensor, present: Tensor) -> None:
    """Checks that the rows of `value [U, d]` are finite where `present [U]` is true."""
    if not all_finite(value) and not bool((value.isfinite().all(1) | ~present).all()):
        raise ValueError(f"{name} must be finite where present, but has NaN or infinity.")


def check_not_empty(name: str, value: Tensor) -> None:
    """Checks that no axis of a tensor has size 0."""
    if value.numel() == 0:
        raise ValueError(f"{name} must not be empty, but got shape {list(value.shape)}.")


def check_range(name: str, value: Tensor, size: int) -> None:
    """Checks that indices are in `[0, size)`, if that needs no synchronisation with a device."""
    if value.device.type != "cpu" or torch.compiler.is_compiling() or value.numel() == 0:
        return
    low, high = (int(each) for each in value.aminmax())
    if low < 0 or high >= size:
        raise ValueError(f"{name} must be in [0, {size}), but got {low if low < 0 else high}.")


def check_size(name: str, value: int, least: int = 1) -> None:
    """Checks that a size is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, but got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, but got {value}.")


def check_real(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> None:
    """Checks that a number is finite and lies in `[low, high]`."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, but got {value!r}.")
    if not (low <= value <= high and math.isfinite(value)):
        interval = ""
        if low > -math.inf:
            interval = (
                f" and at least {low:g}" if high == math.inf else f" and in [{low:g}, {high:g}]"
            )
        raise ValueError(f"{name} must be finite{interval}, but got {value}.")


def check_bool(name: str, value: bool) -> None:
    """Checks that a flag is a bool, because the string "False" would be truthy."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, but got {value!r}.")


def check_modality(argument: str, name: object) -> None:
    """Checks that a modality's name is a non-empty string that can be encoded in UTF-8."""
    if not isinstance(name, str) or not name:
        raise TypeError(f"{argument} must be keyed by non-empty names, but got {name!r}.")
    if any("\ud800" <= letter <= "\udfff" for letter in name):  # an unpaired surrogate
        raise ValueError(f"{argument} must be keyed by names in Unicode, but got {name!a}.")


def check_in_channels(in_channels: object) -> None:
    """Checks `in_channels`: a non-empty mapping of modality names to sizes."""
    if not isinstance(in_channels, Mapping):
        raise TypeError(
            f"in_channels must map names to sizes, but got {type(in_channels).__name__}."
        )
    if not in_channels:
        raise ValueError("in_channels must name at least one modality, but got none.")
    for name, size in in_channels.items():
        check_modality("in_channels", name)
        if name in vars(torch.nn.Module()):  # modalities become attributes of a module
            raise ValueError(
                f"in_channels must not have the name {name!r}, which every torch.nn.Module has "
                "as an attribute."
            )
        check_size(f"in_channels[{name!r}]", size)
    if len({name.replace(".", "#") for name in in_channels}) < len(in_channels):
        raise ValueError(  # they would share a parameter
            "in_channels must not have names that differ only in '.' and '#', but got "
            f"{list(in_channels)}."
        )


def check_features(features: object, in_channels: Mapping[str, int], size: int | str) -> None:
    """Checks that features match `in_channels` by name, in any order, with shape `[size, d_m]`."""
    if not isinstance(features, Mapping):
        raise TypeError(f"features must map names to tensors, but got {type(features).__name__}.")
    if set(features) != set(in_channels):
        raise ValueError(
            f"features must be those of {list(in_channels)}, but got {list(features)}."
        )
    for name, channels in in_channels.items():
        check_tensor(f"features[{name!r}]", features[name], [size, channels])


def unique_names(argument: str, names: Iterable[str]) -> tuple[str, ...]:
    """Returns the names as a tuple, after checking that they are distinct strings."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"{argument} must be a sequence of names, but got {names!r}.")
    names = tuple(names)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} must be strings, but got {list(names)}.")
    if len(set(names)) != len(names):
        raise ValueError(f"{argument} must name each once, but got {list(names)}.")
    return names


def check_known(argument: str, names: Iterable[str], in_channels: Mapping[str, int]) -> None:
    """Checks that all names are modalities of `in_channels`."""
    unknown = [name for name in names if name not in in_channels]
    if unknown:
        raise ValueError(f"{argument} must name some of {list(in_channels)}, but got {unknown}.")
