"""The dtype and device of a module's weights."""

import torch
from torch import Tensor


def first_weight(module: torch.nn.Module) -> Tensor:
    """Returns a weight of the module, for its dtype and device.

    Quantised layers have no parameters; their inputs are float32 on a CPU, so that is returned.
    """
    for weight in module.parameters():  # not next(..., default): PyTorch 2.8 cannot compile it
        return weight
    return torch.empty(0, dtype=torch.float32, device="cpu")
