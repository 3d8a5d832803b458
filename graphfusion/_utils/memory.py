"""Detection of out-of-memory errors."""

import torch


def is_out_of_memory(error: RuntimeError) -> bool:
    """Returns whether an error means that memory ran out, on any device."""
    # On a CPU, PyTorch raises a plain RuntimeError.
    return isinstance(error, torch.OutOfMemoryError) or (
        "memory" in str(error) and "allocat" in str(error).lower()
    )
