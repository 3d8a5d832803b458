"""A linear layer of concatenated inputs, with a weight for each name."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch_geometric.nn.parameter_dict import ParameterDict


class NamedLinear(torch.nn.Module):
    """A :class:`torch.nn.Linear` of concatenated named vectors, with a weight for each name.

    So the order of the names does not change the result. The weights are initialised as one
    matrix, as in PyTorch.

    Args:
        in_channels: `{name: size}`, in the order of the input's parts.
        out_channels: Size of the output.
    """

    def __init__(self, in_channels: Mapping[str, int], out_channels: int) -> None:
        super().__init__()
        self.in_channels = dict(in_channels)
        self.out_channels = out_channels
        linear = torch.nn.Linear(sum(in_channels.values()), out_channels)
        parts = linear.weight.detach().split(list(in_channels.values()), 1)
        self.weight = ParameterDict(
            {
                name: torch.nn.Parameter(part.clone())
                for name, part in zip(in_channels, parts, strict=True)
            }
        )
        self.bias = linear.bias

    def reset_parameters(self) -> None:
        """Draws new weights."""
        size = sum(self.in_channels.values())
        with torch.device(self.bias.device):
            linear = torch.nn.Linear(size, self.out_channels, dtype=self.bias.dtype)
        parts = linear.weight.detach().split(list(self.in_channels.values()), 1)
        with torch.no_grad():
            for name, part in zip(self.in_channels, parts, strict=True):
                self.weight[name].copy_(part)
            self.bias.copy_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Returns `[..., out_channels]` from `[..., sum of in_channels]`."""
        weight = torch.cat([self.weight[name] for name in self.in_channels], 1)
        return torch.nn.functional.linear(x, weight, self.bias)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"
