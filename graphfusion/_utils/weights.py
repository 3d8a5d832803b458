"""The dtype and device of a module's weights."""

import torch
from torch import Tensor


def first_weight(module: torch.nn.Module) -> Tensor:
    """A weight of the module, of which dtype and device count.

    Quantised layers have no parameters; they take float32 on a CPU.
    """
    for weight in module.parameters():  # not next(..., default): PyTorch 2.8 cannot compile it
        return weight
    return torch.empty(0, dtype=torch.float32, device="cpu")
