"""Relational graph attention (Busbridge et al., 2019), on nodes instead of edges."""

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu
from torch_geometric.nn.inits import glorot, zeros
from torch_geometric.utils import scatter, softmax

_NEGATIVE_SLOPE = 0.2


class RelationalAttention(torch.nn.Module):
    r"""Relational graph attention: PyG's `RGATConv` with its default options, in less memory.

    .. math::
        h_{v,r} = x_v W_r, \qquad
        \alpha_{u,v} = \mathrm{softmax}_u \, \mathrm{leaky\_relu}(h_{v,r} q + h_{u,r} k), \qquad
        \mathrm{out}_v = \sum_u \alpha_{u,v} h_{u,r} + b

    over the edges from u to v, each of a type r. `RGATConv` copies a matrix :math:`W_r` for every
    edge, which takes gigabytes for a batch of conversations. Products of every node with every
    matrix are fewer. It also has parameters that its default options never use; they are left out,
    since `DistributedDataParallel` refuses parameters without a gradient.

    Args:
        in_channels: Size of a node's vector.
        out_channels: Size of its output.
        num_relations: Number R of edge types.

    Shapes:
        - **input:** `x [N, in_channels]`, `edge_index [2, E]`, `edge_type [E]`.
        - **output:** `[N, out_channels]`.

    Example:
        >>> import torch
        >>> conv = RelationalAttention(4, 3, num_relations=2)
        >>> edge_index, edge_type = torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 1])
        >>> conv(torch.randn(2, 4), edge_index, edge_type).shape
        torch.Size([2, 3])
    """

    def __init__(self, in_channels: int, out_channels: int, num_relations: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.num_relations = num_relations
        self.q = torch.nn.Parameter(torch.empty(out_channels, 1))
        self.k = torch.nn.Parameter(torch.empty(out_channels, 1))
        self.bias = torch.nn.Parameter(torch.empty(out_channels))
        self.weight = torch.nn.Parameter(torch.empty(num_relations, in_channels, out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new weights, as `RGATConv` does."""
        for weight in (self.weight, self.q, self.k):
            glorot(weight)
        zeros(self.bias)

    def forward(self, x: Tensor, edge_index: Tensor, edge_type: Tensor) -> Tensor:
        """Returns `[N, out_channels]`."""
        size = x.size(0)
        hidden = torch.matmul(x, self.weight).flatten(0, 1)  # [R * N, out_channels]
        source, target = edge_index + edge_type * size
        score = (hidden @ self.q)[target] + (hidden @ self.k)[source]
        alpha = softmax(leaky_relu(score, _NEGATIVE_SLOPE), edge_index[1], num_nodes=size)
        messages = alpha * hidden.index_select(0, source)
        out: Tensor = scatter(messages, edge_index[1], dim_size=size, reduce="sum")
        return out + self.bias

    def __repr__(self) -> str:
        sizes = f"{self.in_channels}, {self.out_channels}, num_relations={self.num_relations}"
        return f"{type(self).__name__}({sizes})"
