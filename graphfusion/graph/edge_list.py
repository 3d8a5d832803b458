"""Any graph, by its edges, as PyG gives it."""

from typing import Self

import torch
from torch import Tensor

from graphfusion._utils.checks import check_not_empty, check_range, check_tensor


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
        """Nothing is absent from an edge list."""
        check_tensor("x", x, ["N", "C"])
        check_not_empty("x", x)
        return x, None

    def screened(self) -> Self:
        """This graph."""
        return self

    def propagate(self, x: Tensor) -> Tensor:
        """Sums each node's incoming messages, `[N, C]`."""
        source, target = self.edge_index
        message = x.index_select(0, source)
        if self.edge_weight is not None:
            message = message * self.edge_weight.to(x.dtype).unsqueeze(-1)
        return torch.zeros_like(x).index_add(0, target, message)

    def restore(self, out: Tensor, valid: Tensor | None) -> Tensor:
        """Nothing is absent from an edge list."""
        del valid
        return out
