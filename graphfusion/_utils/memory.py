"""Whether memory was the matter."""

import torch


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether PyTorch could not get memory, on whatever device: on a CPU it has no error for it."""
    return isinstance(error, torch.OutOfMemoryError) or (
        "memory" in str(error) and "allocat" in str(error).lower()
    )
