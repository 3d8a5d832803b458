"""Baseline: dynamic fusion built from PyG's `GCN2Conv` and PyTorch's `LSTMCell`."""

import torch
from torch import Tensor
from torch_geometric.nn import GCN2Conv

from graphfusion import DynamicFusion


class PyGFusion(torch.nn.Module):
    """Dynamic fusion with the weights of a :class:`DynamicFusion`, on `edge_index` or CSR."""

    def __init__(self, fusion: DynamicFusion) -> None:
        super().__init__()
        size, alpha = fusion.hidden_channels, fusion.alpha
        if fusion.cell is None:
            raise ValueError("fusion must be gated.")
        self.lin = fusion.lin
        self.cell = torch.nn.LSTMCell(size, size)
        self.cell.load_state_dict(fusion.cell.state_dict())
        self.convs = torch.nn.ModuleList()
        for k, weight in enumerate(fusion.weight.detach(), start=1):
            conv = GCN2Conv(size, alpha, fusion.theta, k, shared_weights=False, normalize=False)
            conv.weight1.data = weight[:size] / (1 - alpha)
            conv.weight2.data = weight[size:] / alpha
            self.convs.append(conv)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Returns `[N, C + H]`."""
        h0 = self.lin(x).relu()
        z, memory = h0, None
        for conv in self.convs:
            memory = self.cell(z, memory)
            z = conv(memory[0], h0, edge_index, edge_weight).relu() + z
        return torch.cat([x, z], -1)


def csr(edge_index: Tensor, edge_weight: Tensor, size: int) -> Tensor:
    """Builds the sparse matrix for `GCN2Conv`, target by source, without gradients."""
    indices = edge_index.flip(0)
    return torch.sparse_coo_tensor(indices, edge_weight.detach(), (size, size)).to_sparse_csr()
