"""PyG's relational attention without its unused parameters."""

import torch
from torch_geometric.nn import RGATConv

from graphfusion.models.relational_attention import RelationalAttention
from tests.asserts import assert_every_parameter_learns


def edges(num_nodes: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    edge_index = torch.randint(0, num_nodes, (2, 12))
    return torch.randn(num_nodes, 4), edge_index, torch.randint(0, 6, (12,))


def test_it_is_that_of_pyg() -> None:
    """With the same seed, the same weights, and so the same output."""
    given = edges(5)
    torch.manual_seed(3)
    theirs = RGATConv(4, 3, num_relations=6)
    torch.manual_seed(3)
    ours = RelationalAttention(4, 3, num_relations=6)
    assert torch.equal(ours(*given), theirs(*given))
    torch.manual_seed(3)
    theirs.reset_parameters()
    torch.manual_seed(3)
    ours.reset_parameters()
    assert torch.equal(ours(*given), theirs(*given))


def test_every_parameter_learns() -> None:
    conv = RelationalAttention(4, 3, num_relations=6)
    x, edge_index, _ = edges(5)
    edge_type = torch.arange(12) % 6
    assert_every_parameter_learns(conv, conv(x, edge_index, edge_type))
