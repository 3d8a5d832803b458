"""Whether somebody else is reading the code to run it later, and is better left PyTorch's own."""

import torch


def is_traced() -> bool:
    """Whether it is being compiled, exported or traced."""
    if torch.compiler.is_compiling():
        return True
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return tracing
