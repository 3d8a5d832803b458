"""Evaluation mode without changing the mode of a module that another thread may train."""

from types import MethodType
from typing import TypeVar

import torch

ModuleT = TypeVar("ModuleT", bound=torch.nn.Module)


def evaluation_view(module: ModuleT) -> ModuleT:
    """Returns a copy of a module in evaluation mode that shares all its tensors.

    Switching the mode of the module itself would switch it for every thread. Compiled modules are
    run eagerly, since what is compiled is bound to the module itself.

    Raises:
        TypeError: If a module in training mode has a `forward` of its own that cannot be copied.
    """
    return _view(module, {})


def _view(module: ModuleT, views: dict[int, torch.nn.Module]) -> ModuleT:
    if type(module).__name__ == "OptimizedModule":  # of torch.compile
        return _view(module._modules["_orig_mod"], views)  # type: ignore[return-value, type-var]
    if id(module) not in views:
        view = type(module).__new__(type(module))
        views[id(module)] = view
        view.__dict__ |= module.__dict__
        view.__dict__["training"] = False
        view.__dict__.pop("_compiled_call_impl", None)
        if (forward := module.__dict__.get("forward")) is not None:
            if isinstance(forward, MethodType) and forward.__self__ is module:
                view.__dict__["forward"] = MethodType(forward.__func__, view)
            elif any(each.training for each in module.modules()):
                raise TypeError(
                    f"{type(module).__name__} must be in evaluation mode where its forward was "
                    "replaced, but it is in training mode: call eval() first."
                )
        view.__dict__["_modules"] = {
            name: None if child is None else _view(child, views)
            for name, child in module._modules.items()
        }
    return views[id(module)]  # type: ignore[return-value]
