"""Detection of tracing, by `torch.jit.trace`, `torch.compile` and the like."""

import torch
from torch import Tensor


def is_traced() -> bool:
    """Returns whether the calling code is being compiled, exported or traced."""
    if torch.compiler.is_compiling():
        return True
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return tracing


def check_not_tracing() -> None:
    """Checks that `torch.jit.trace` is not active, because it would fix the lengths of a batch."""
    if not torch.compiler.is_compiling() and torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        raise RuntimeError(
            "a BatchLayout must not be made inside torch.jit.trace, because the trace would fix "
            "the lengths of this batch. For batches of these lengths, make it before, and trace a "
            "module that holds it; for any lengths, use torch.compile or graphfusion.export."
        )


def smaller(a: int, b: int) -> int:
    """Returns the smaller of two sizes; unlike `min`, it keeps traced sizes symbolic."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):  # sizes in torch.jit.trace
        return torch.minimum(torch.as_tensor(a), torch.as_tensor(b))
    least: int = torch.sym_min(a, b)
    return least


def larger(a: int, b: int) -> int:
    """Returns the larger of two sizes; unlike `max`, it keeps traced sizes symbolic."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return torch.maximum(torch.as_tensor(a), torch.as_tensor(b))
    largest: int = torch.sym_max(a, b)
    return largest
