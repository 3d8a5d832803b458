"""The settings of a model's modules, in which models of the same weights can differ."""

from collections.abc import Mapping
from contextlib import suppress
from inspect import signature
from numbers import Real
from typing import Any

import torch

# Besides a module's own: what describes the data, and what compilation leaves.
_OWN = {*vars(torch.nn.Module()), "_extractors", "_compiled_call_impl", "_is_torch_compile"}


def constants(model: torch.nn.Module) -> dict[str, dict[str, Any]]:
    """Returns each module's class, numbers, strings, flags and functions, as JSON has them."""
    found: dict[str, dict[str, Any]] = {}
    for name, module in model.named_modules():
        kind = type(module)
        found[name] = {"class": f"{kind.__module__}.{kind.__qualname__}"}
        for key in sorted(vars(module).keys() - _OWN):
            with suppress(TypeError):
                found[name][key] = _plain(vars(module)[key])
    return found


def check_as_configured(model: Any) -> None:
    """Checks that a model which builds its own parts still has these.

    Raises:
        ValueError: If a part or a number has been replaced, which its config does not show.
    """
    kind = type(model)
    try:
        signature(kind).bind(**model.config)
    except TypeError:  # it is given its parts, or has a config of its own
        return
    with torch.device("meta"):  # draws no random numbers
        expected = kind(**model.config)
    if (differing := differs(expected, model)) is not None:
        raise ValueError(
            f"model must be as its config has it, but {differing} was replaced or changed, which a "
            f"saved {kind.__name__} would lose: build a ConversationModel of its parts."
        )


def differs(expected: torch.nn.Module, model: torch.nn.Module) -> str | None:
    """Names the first constant in which a model differs from another; None: there is none."""
    all_before, all_now = constants(expected), constants(model)
    names = {**all_before, **all_now}
    for name in [*filter(None, names), ""]:  # parts first, which say more than the whole
        before, now = all_before.get(name, {}), all_now.get(name, {})
        # A value that a user has noted beside those of the class changes nothing.
        for key in before or now:
            if before.get(key) != now.get(key):
                return f"{key} of {name or 'the model'}"
    return None


def _plain(value: object) -> Any:
    """Converts a value to what JSON has.

    Raises:
        TypeError: If it is or has a tensor, a module or the like.
    """
    if getattr(value, "shape", None) == () and not isinstance(value, torch.Tensor):
        value = value.item()  # type: ignore[attr-defined]  # a number of NumPy
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    name = getattr(value, "__qualname__", None)  # of a function, say an activation
    if not isinstance(name, str):
        raise TypeError(f"value must be plain, but got {type(value).__name__}.")
    return name
