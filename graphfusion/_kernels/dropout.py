"""Dropout that draws its mask quickly on a CPU."""

import torch
from torch import Tensor

from graphfusion._kernels.switch import use_kernels

# Four values' fates are drawn as one number of 64 bits.
LEVELS = 2**16


class Dropout(torch.nn.Dropout):
    """:class:`torch.nn.Dropout`, with a faster mask on a CPU; see :func:`dropout`."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's name
        """Zeroes each value with probability `p`, and scales the others by `1 / (1 - p)`."""
        return dropout(input, self.p, self.training)


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """:func:`torch.nn.functional.dropout`, on a CPU with `p` in steps of 2^-16.

    Unless the CPU is one of Intel's, PyTorch draws each element's fate from a float64 there, which
    was an eighth of a training step of MM-DFN. On a GPU, and compiled, its own dropout is fused.
    """
    if not training or p in (0, 1) or not use_kernels(x):
        return torch.nn.functional.dropout(x, p, training)
    dropped = min(round(p * LEVELS), LEVELS - 1)
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device)
    fates = draws.random_(-(2**63), None).view(torch.int16)[: x.numel()].view(x.shape)
    # Of the dtype of x, because a product with a mask of bools takes three times as long.
    keep = torch.ge(fates, dropped - LEVELS // 2, out=torch.empty_like(x))
    return x * keep.mul_(LEVELS / (LEVELS - dropped))
