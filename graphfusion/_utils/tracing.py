"""Detection of tracing, by `torch.jit.trace`, `torch.compile` and the like."""

import torch
from torch import Tensor


def is_traced() -> bool:
    """Whether it is being compiled, exported or traced."""
    if torch.compiler.is_compiling():
        return True
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return tracing


def check_not_tracing() -> None:
    """Checks that `torch.jit.trace` is not at work: it would fix the lengths of a batch."""
    if not torch.compiler.is_compiling() and torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        raise RuntimeError(
            "a BatchLayout must not be made while torch.jit.trace is at work, for the trace would "
            "keep the lengths of this batch. Make it before, and trace a module that holds it, for "
            "batches of these lengths; for any, use torch.compile or graphfusion.export."
        )


def smaller(a: int, b: int) -> int:
    """The smaller of two sizes; unlike Python's own, it does not fix them where it is traced."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):  # as torch.jit.trace has sizes
        return torch.minimum(torch.as_tensor(a), torch.as_tensor(b))
    least: int = torch.sym_min(a, b)
    return least


def larger(a: int, b: int) -> int:
    """The larger of two sizes, likewise."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return torch.maximum(torch.as_tensor(a), torch.as_tensor(b))
    largest: int = torch.sym_max(a, b)
    return largest
