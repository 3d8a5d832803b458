"""The dtype and device of a module's weights."""

import torch
from torch import Tensor


def first_weight(module: torch.nn.Module) -> Tensor:
    """A weight of the module, of which dtype and device count.

    Quantised layers have no parameters; they take float32 on a CPU.
    """
    return next(module.parameters(), torch.empty(0, dtype=torch.float32, device="cpu"))
