"""Evaluation mode without changing the mode of a module that another thread may train."""

from typing import TypeVar

import torch

ModuleT = TypeVar("ModuleT", bound=torch.nn.Module)


def evaluation_view(module: ModuleT) -> ModuleT:
    """Returns a copy of a module in evaluation mode that shares all its tensors.

    Switching the mode of the module itself would switch it for every thread.
    """
    return _view(module, {})


def _view(module: ModuleT, views: dict[int, torch.nn.Module]) -> ModuleT:
    if id(module) not in views:
        view = type(module).__new__(type(module))
        views[id(module)] = view
        view.__dict__ |= module.__dict__
        view.__dict__["training"] = False
        view.__dict__["_modules"] = {
            name: None if child is None else _view(child, views)
            for name, child in module._modules.items()
        }
    return views[id(module)]  # type: ignore[return-value]
