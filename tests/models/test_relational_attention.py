"""Relational attention on nodes equals PyG's on edges."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.nn import RGATConv

from graphfusion.models.relational_attention import RelationalAttention
from graphfusion.testing.strategies import seeds
from tests.asserts import assert_every_parameter_learns


@given(st.integers(1, 6), st.integers(0, 12), st.integers(1, 3), seeds)
def test_it_is_that_of_pyg(num_nodes: int, num_edges: int, relations: int, seed: int) -> None:
    """The same weights from the same seed; then the same output and the same gradients."""
    made, found = [], []
    for kind in (RGATConv, RelationalAttention):
        torch.manual_seed(seed)
        made.append(kind(4, 3, num_relations=relations).double())
        torch.manual_seed(seed)
        made[-1].reset_parameters()
    edge_index = torch.randint(0, num_nodes, (2, num_edges))
    edge_type = torch.randint(0, relations, (num_edges,))
    x, weight = torch.randn(num_nodes, 4).double(), torch.randn(num_nodes, 3).double()
    for conv in made:
        leaf = x.clone().requires_grad_()
        out = conv(leaf, edge_index, edge_type)
        (out * weight).sum().backward()
        grads = [leaf.grad, *(getattr(conv, name).grad for name in ("weight", "q", "k", "bias"))]
        found.append([out, *(torch.zeros(()) if each is None else each for each in grads)])
    for theirs, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_every_parameter_learns() -> None:
    conv = RelationalAttention(4, 3, num_relations=6)
    x, edge_index = torch.randn(5, 4), torch.randint(0, 5, (2, 12))
    assert_every_parameter_learns(conv, conv(x, edge_index, torch.arange(12) % 6))


def test_no_matrix_is_copied_for_an_edge() -> None:
    """No saved tensor of the forward pass is as large as the weights of all edges."""
    largest = 0

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal largest
        largest = max(largest, tensor.numel())
        return tensor

    conv, num_edges = RelationalAttention(16, 16, num_relations=2), 1000
    edge_index, edge_type = torch.randint(0, 9, (2, num_edges)), torch.arange(num_edges) % 2
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        conv(torch.randn(9, 16), edge_index, edge_type)
    assert largest <= num_edges * 16


def test_repr() -> None:
    conv = RelationalAttention(4, 3, num_relations=6)
    assert repr(conv) == "RelationalAttention(4, 3, num_relations=6)"
