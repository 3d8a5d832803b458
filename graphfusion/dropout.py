"""Dropout that draws its mask quickly on a CPU."""

import torch
from torch import Tensor

# Four values' fates are drawn as one number of 64 bits.
LEVELS = 2**16


class Dropout(torch.nn.Dropout):
    """:class:`torch.nn.Dropout`, with the mask drawn quickly on a CPU: `p` in steps of 2^-16.

    PyTorch draws each element's fate from a float64 there, which takes eight times as long and was
    an eighth of a training step of MM-DFN. On a GPU, and compiled, its own dropout is fused.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's name
        """Zeroes each value with probability `p`, and scales the others by `1 / (1 - p)`."""
        plain = input.device.type != "cpu" or torch.compiler.is_compiling() or self.p in (0, 1)
        if plain or not self.training:
            return super().forward(input)
        dropped = min(round(self.p * LEVELS), LEVELS - 1)
        draws = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        fates = draws.view(torch.int16)[: input.numel()].view(input.shape)
        # Of the input's dtype, because a product with a mask of bools takes four times as long.
        keep = torch.ge(fates, dropped - LEVELS // 2, out=torch.empty_like(input))
        return input * keep.mul_(LEVELS / (LEVELS - dropped))
