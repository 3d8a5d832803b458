"""Graphs given by PyG's `edge_index` and `edge_weight`."""

from typing import Self

import torch
from torch import Tensor

from graphfusion._utils.checks import check_dtype, check_not_empty, check_range, check_tensor
from graphfusion.graph.propagator import Propagator


class EdgeList:
    """A graph given by `edge_index` and `edge_weight`, used as they are.

    Neither normalised nor with self-loops added.

    Args:
        edge_index: `[2, E]` int64, `[source; target]`.
        edge_weight: `[E]`; None: ones.
        num_nodes: N.

    Raises:
        TypeError: If an argument is not a tensor of that dtype.
        ValueError: If shapes disagree, or (checked on the host only) an edge ends at no node.
    """

    def __init__(self, edge_index: Tensor, edge_weight: Tensor | None, num_nodes: int) -> None:
        if getattr(edge_index, "layout", torch.strided) != torch.strided:
            raise TypeError(
                "edge_index must be [2, E] int64, but got a sparse matrix; "
                "torch_geometric.utils.to_edge_index makes edge_index and edge_weight of it."
            )
        check_tensor("edge_index", edge_index, [2, "E"], torch.int64)
        check_range("edge_index", edge_index, num_nodes)
        if edge_weight is not None:
            check_tensor("edge_weight", edge_weight, [edge_index.size(1)])
        self.edge_index = edge_index
        self.edge_weight = edge_weight

    def screen(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Checks the shape of `x [N, C]`; no node of an edge list is absent."""
        check_tensor("x", x, ["N", "C"])
        check_not_empty("x", x)
        return x, None

    def screened(self) -> Self:
        """Returns this graph."""
        return self

    def propagate(self, x: Tensor) -> Tensor:
        """Sums each node's incoming messages, `[N, C]`."""
        source, target = self.edge_index
        message = x.index_select(0, source)
        if self.edge_weight is not None:
            message = message * self.edge_weight.to(x.dtype).unsqueeze(-1)
        return torch.zeros_like(x).index_add(0, target, message)

    def restore(self, out: Tensor, valid: Tensor | None) -> Tensor:
        """Returns `out`: no node of an edge list is absent."""
        del valid
        return out


_METHODS = ("screen", "screened", "propagate", "restore")  # of a Propagator


def as_graph(
    x: Tensor,
    edge_index: Propagator | Tensor,
    edge_weight: Tensor | None,
    channels: int,
    like: Tensor,
) -> Propagator:
    """Converts an edge list to a graph, and checks that nodes and graph fit a layer.

    Args:
        x: `[U, M, C]` with the graph of a batch of conversations, or `[N, C]` with edges.
        edge_index: The graph, or `[2, E]` int64.
        edge_weight: `[E]`, or None.
        channels: C.
        like: A weight of the layer, whose dtype x must have.

    Raises:
        TypeError: If an argument is not a tensor of the right dtype, or `edge_index` no graph.
        ValueError: If the shapes disagree.
    """
    if isinstance(edge_index, Tensor):
        if isinstance(x, Tensor) and x.dim() == 3:
            raise TypeError(
                "edge_index must be the graph that ConversationGraph makes where x is "
                f"[U, M, C], but got {type(edge_index).__name__}."
            )
        check_tensor("x", x, ["N", channels])
        check_dtype("x", x, like)
        if edge_weight is not None:
            check_dtype("edge_weight", edge_weight, like)
        # Not len(x), which would be fixed in what is exported.
        return EdgeList(edge_index, edge_weight, x.size(0))
    if lacking := [name for name in _METHODS if not hasattr(edge_index, name)]:
        raise TypeError(
            "edge_index must be a tensor, or a graph such as ConversationGraph makes, but "
            f"got {type(edge_index).__name__}, which lacks {', '.join(lacking)}."
        )
    if edge_weight is not None:
        raise ValueError("edge_weight must be None with a graph, which has its own.")
    check_tensor("x", x, ["U", "M", channels])
    check_dtype("x", x, like)
    return edge_index
