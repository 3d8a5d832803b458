"""Relational graph attention without the parameters that its default options never use."""

from torch_geometric.nn import MessagePassing, RGATConv
from torch_geometric.nn.inits import glorot, zeros


class RelationalAttention(RGATConv):
    """PyG's `RGATConv` with its default options and the parameters that these use.

    `w`, `l1`, `b1`, `l2` and `b2` belong to its options `mod="additive"` and `mod="scaled"`. They
    get no gradient otherwise, which `DistributedDataParallel` refuses, and `l2` is never
    initialised.

    Args:
        in_channels: Size of a node's vector.
        out_channels: Size of its output.
        num_relations: Number of edge types.

    Example:
        >>> import torch
        >>> conv = RelationalAttention(4, 3, num_relations=2)
        >>> edge_index, edge_type = torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 1])
        >>> conv(torch.randn(2, 4), edge_index, edge_type).shape
        torch.Size([2, 3])
        >>> [name for name, _ in conv.named_parameters()]
        ['q', 'k', 'bias', 'weight']
    """

    def __init__(self, in_channels: int, out_channels: int, num_relations: int) -> None:
        super().__init__(in_channels, out_channels, num_relations)
        self.w = self.l1 = self.b1 = self.l2 = self.b2 = None

    def reset_parameters(self) -> None:
        """Reinitialises the weights, as `RGATConv` does."""
        MessagePassing.reset_parameters(self)
        for weight in (self.weight, self.q, self.k):
            glorot(weight)
        zeros(self.bias)
