"""Checks that a stream runs what a module does."""

import torch


def check_own_forward(name: str, part: torch.nn.Module, kind: type[torch.nn.Module]) -> None:
    """Checks that a module has the `forward` of a class, which a stream knows.

    Raises:
        TypeError: If it has not.
    """
    if any(
        getattr(type(part), method, None) is not getattr(kind, method, None) or method in vars(part)
        for method in ("forward", "_build")
    ):
        raise TypeError(
            f"{name} must have {kind.__name__}'s own forward to stream, but "
            f"{type(part).__name__} has another, which a stream would not run."
        )


def check_no_hooks(name: str, part: torch.nn.Module) -> None:
    """Checks that a module that a stream does not call has no hooks of its forward.

    Raises:
        TypeError: If it has some.
    """
    if part._forward_hooks or part._forward_pre_hooks:
        raise TypeError(
            f"{name} must have no forward hooks to stream, but {type(part).__name__} has some, "
            "which a stream would not run."
        )
