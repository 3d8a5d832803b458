"""Lower bound of the time of a fusion step: its matrix products alone."""

from collections.abc import Callable

import torch
from torch import Tensor

from graphfusion import DynamicFusion, MultimodalGraph


def floor(fusion: DynamicFusion, graph: MultimodalGraph, backward: bool) -> Callable[[], None]:
    """Returns a function that runs only the matrix products of graph and fusion.

    Forward: the cosines of the graph, the input projection, and for each layer the gates of the
    cell, the propagation and the layer's weight matrix. Backward: two products for each of these.
    """
    size, channels = graph.inter.size(0) * graph.inter.size(1), fusion.in_channels
    hidden, layers = fusion.hidden_channels, fusion.num_layers
    tiles, num_modalities, height, width = graph.intra.shape
    blocks = tiles * num_modalities
    per_layer = [
        ((size, 2 * hidden), (2 * hidden, 4 * hidden)),
        ((blocks, height, width), (blocks, width, hidden)),
        (
            (graph.inter.size(0), num_modalities, num_modalities),
            (graph.inter.size(0), num_modalities, hidden),
        ),
        ((size, 2 * hidden), (2 * hidden, hidden)),
    ]
    once = [
        ((blocks, height, channels), (blocks, channels, width)),
        ((size, channels), (channels, hidden)),
    ]
    device = graph.intra.device
    pairs = [
        (torch.randn(left, device=device), torch.randn(right, device=device))
        for left, right in once + per_layer
    ]
    products = [_product(left, right, backward) for left, right in pairs]

    def run() -> None:
        for product in products[: len(once)]:
            product()
        for _ in range(layers):
            for product in products[len(once) :]:
                product()

    return run


def _product(left: Tensor, right: Tensor, backward: bool) -> Callable[[], None]:
    # Into preallocated memory, to exclude the time of allocation.
    out = left @ right
    by_left, by_right = torch.empty_like(left), torch.empty_like(right)

    def run() -> None:
        torch.matmul(left, right, out=out)
        if backward:
            torch.matmul(out, right.mT, out=by_left)
            torch.matmul(left.mT, out, out=by_right)

    return run
