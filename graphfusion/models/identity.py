"""Parts of a model that return the nodes unchanged: no graph, and no fusion."""

from typing import Any, Self

import torch
from torch import Tensor

from graphfusion.data.layout import BatchLayout


class NoGraph(torch.nn.Module):
    """A graph builder whose propagation matrix is the identity."""

    def forward(self, x: Tensor, layout: BatchLayout) -> Self:
        """Returns the graph."""
        del x, layout
        return self

    def reset_parameters(self) -> None:
        """Does nothing: there are no parameters."""

    def propagate(self, x: Tensor) -> Tensor:
        """Returns x."""
        return x

    def impute(self, x: Tensor) -> Tensor:
        """Returns x."""
        return x


class NoFusion(torch.nn.Module):
    """The identity in place of a fusion: node vectors go to the classifier as they are.

    Args:
        channels: Size C of a node.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_channels = self.out_channels = channels

    def reset_parameters(self) -> None:
        """Does nothing: there are no parameters."""

    def forward(self, x: Tensor, graph: Any) -> Tensor:
        """Returns x, `[U, M, C]`."""
        del graph
        return x
