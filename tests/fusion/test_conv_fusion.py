"""PyG's convolutions on a conversation's graph."""

import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch_geometric.nn import (
    APPNP,
    ARMAConv,
    CGConv,
    ChebConv,
    GATv2Conv,
    GCN2Conv,
    GCNConv,
    GMMConv,
    HypergraphConv,
    NNConv,
    RGCNConv,
    SAGEConv,
    SGConv,
    TAGConv,
    TransformerConv,
)

from graphfusion import BatchLayout, ConversationGraph, ConvFusion, DynamicFusion
from graphfusion.testing import RaggedBatch, check_fusion
from graphfusion.testing.strategies import batches
from tests.asserts import assert_equal, assert_every_parameter_learns

CONVS = {
    "GCN": lambda: GCNConv(5, 3),
    "GCN2": lambda: GCN2Conv(5, alpha=0.2, theta=0.5, layer=1),
    "RGCN": lambda: RGCNConv(5, 3, num_relations=6),
    "Transformer": lambda: TransformerConv(5, 3, heads=2),
    "Transformer with weights": lambda: TransformerConv(5, 3, edge_dim=1),
    "GATv2": lambda: GATv2Conv(5, 3, edge_dim=1),
    "SAGE": lambda: SAGEConv(5, 3),
    "Hypergraph": lambda: HypergraphConv(5, 3),
}


@pytest.mark.parametrize("name", CONVS)
def test_a_convolution_is_a_fusion(name: str) -> None:
    fusion = ConvFusion(CONVS[name]())
    x = torch.randn(7, 2, 5)
    layout = BatchLayout(torch.tensor([0, 4, 7]), torch.tensor([0, 1, 0, 1, 0, 0, 1]))
    graph = ConversationGraph()(x, layout)
    out = fusion(x, graph)
    assert out.shape == (7, 2, fusion.out_channels)
    assert_every_parameter_learns(fusion, out)
    again = ConvFusion(CONVS[name]())
    again.reset_parameters()
    again.load_state_dict(fusion.state_dict())
    assert torch.equal(again(x, graph), out)


@given(batches())
def test_gcn_is_the_propagation_of_the_graph(batch: RaggedBatch) -> None:
    """Its own normalisation is off, so that it is P X W."""
    fusion = ConvFusion(GCNConv(5, 3, bias=False)).double()
    graph = ConversationGraph()(batch.x, batch.layout)
    expected = graph.propagate(fusion.convs[0].lin(batch.x))
    assert_equal(fusion(batch.x, graph), expected)


@given(batches(masked=True))
def test_absent_nodes_are_zero_and_none_receives_from_them(batch: RaggedBatch) -> None:
    fusion = ConvFusion(SAGEConv(5, 3)).double().eval()
    graph = ConversationGraph()(batch.x, batch.layout)
    spoilt = batch.x.masked_fill(~batch.here.unsqueeze(2), torch.nan)
    out = fusion(spoilt, graph)
    assert torch.equal(out, fusion(batch.x, graph))
    assert not out[~batch.here].any()


def test_layers_have_relu_between_and_take_the_input_of_the_fusion() -> None:
    first, second = GCN2Conv(5, alpha=0.5), GCN2Conv(5, alpha=0.5)
    fusion = ConvFusion(first, second)
    x, ptr = torch.randn(4, 1, 5), torch.tensor([0, 4])
    graph = ConversationGraph()(x, ptr)
    edges = graph.to_edge_index()
    nodes = x.flatten(0, 1)
    expected = second(first(nodes, nodes, *edges).relu(), nodes, *edges)
    torch.testing.assert_close(fusion(x, graph).flatten(0, 1), expected)


def test_the_input_may_stand_beside_the_output() -> None:
    fusion = ConvFusion(SAGEConv(5, 3), concat=True)
    x, layout = torch.randn(4, 2, 5), BatchLayout(torch.tensor([0, 4]))
    graph = ConversationGraph()(x, layout)
    alone = ConvFusion(SAGEConv(5, 3))
    alone.load_state_dict(fusion.state_dict())
    assert fusion.out_channels == 8
    assert torch.equal(fusion(x, graph), torch.cat([x, alone(x, graph)], -1))


def test_dropout_is_of_every_convolutions_input() -> None:
    x, ptr = torch.randn(4, 1, 5), torch.tensor([0, 4])
    graph = ConversationGraph()(x, ptr)
    fusion = ConvFusion(GCNConv(5, 3), GCNConv(3, 2), dropout=1.0, concat=True)
    for conv in fusion.convs:
        torch.nn.init.ones_(conv.bias)
    assert torch.equal(fusion(x, graph), torch.tensor([0.0] * 5 + [1.0] * 2).expand(4, 1, 7))
    fusion.eval()
    assert torch.equal(fusion(x, graph)[..., :5], x)


class Needy(torch.nn.Module):
    in_channels = out_channels = 5

    def forward(self, x: Tensor, edge_index: Tensor, time: Tensor) -> Tensor:
        return x + edge_index.sum() + time


def test_sizes_that_do_not_fit_are_refused_when_it_is_built() -> None:
    with pytest.raises(ValueError, match="convs must be at least one convolution, but got none"):
        ConvFusion()
    with pytest.raises(TypeError, match=r"convs must take .*, but Needy needs \['time'\]"):
        ConvFusion(Needy())
    with pytest.raises(ValueError, match="edge_dim must be None or 1, .* but got 4 in Transformer"):
        ConvFusion(TransformerConv(5, 3, edge_dim=4))
    with pytest.raises(ValueError, match="num_relations must be 6, .* but got 2 in RGCNConv"):
        ConvFusion(RGCNConv(5, 3, num_relations=2))
    with pytest.raises(ValueError, match="GCNConv gives 3 channels and GCNConv takes 4"):
        ConvFusion(GCNConv(5, 3), GCNConv(4, 2))
    with pytest.raises(ValueError, match=r"dropout must be finite and in \[0, 1\], but got 2"):
        ConvFusion(GCNConv(5, 3), dropout=2)
    with pytest.raises(TypeError, match="concat must be True or False, but got 1"):
        ConvFusion(GCNConv(5, 3), concat=1)
    with pytest.raises(TypeError, match="convs must have an integer in_channels, but APPNP has"):
        ConvFusion(APPNP(2, 0.1))
    with pytest.raises(ValueError, match="convs must have cached=False, since .* but SGConv has"):
        ConvFusion(SGConv(5, 3, cached=True))
    for conv in (ChebConv(5, 3, 2), ARMAConv(5, 3)):
        with pytest.raises(ValueError, match="convs must take the graph's own weights, but"):
            ConvFusion(conv)
    assert not ConvFusion(TAGConv(5, 3)).convs[0].normalize
    assert ConvFusion(SAGEConv(5, 3, normalize=True)).convs[0].normalize  # of its output
    sizeless = GCNConv(5, 3)
    del sizeless.out_channels
    with pytest.raises(TypeError, match="convs must have an integer out_channels, but GCNConv has"):
        ConvFusion(sizeless)
    x, ptr = torch.randn(3, 1, 5), torch.tensor([0, 3])
    graph = ConversationGraph()(x, ptr)
    with pytest.raises(ValueError, match="speaker must be given to the layout for edge types"):
        ConvFusion(RGCNConv(5, 3, num_relations=6))(x, graph)
    with pytest.raises(TypeError, match="graph must be a MultimodalGraph, but got Tensor"):
        ConvFusion(GCNConv(5, 3))(x, graph.to_dense())
    with pytest.raises(TypeError, match="edge_index must be a tensor, or a graph such"):
        DynamicFusion(5, 3, 2)(x, "graph")


@pytest.mark.parametrize(
    "conv", [NNConv(4, 4, torch.nn.Linear(1, 16)), GMMConv(4, 4, 1, 2), CGConv(4, dim=1)]
)
def test_convolutions_of_attributes_without_a_size_are_refused(conv: torch.nn.Module) -> None:
    with pytest.raises(TypeError, match=f"attributes of edges .*, but {type(conv).__name__} needs"):
        ConvFusion(conv)


def test_attention_to_hyperedges_is_refused() -> None:
    with pytest.raises(ValueError, match="use_attention must be False, .* in HypergraphConv"):
        ConvFusion(HypergraphConv(4, 4, use_attention=True))


def test_nodes_of_another_dtype_are_refused() -> None:
    x = torch.randn(3, 2, 4).double()
    graph = ConversationGraph()(x, torch.tensor([0, 3]))
    with pytest.raises(TypeError, match=r"x must be of the module's dtype torch.float32, but got"):
        ConvFusion(GCNConv(4, 4))(x, graph)


def test_hyperedges_do_not_reach_out_of_a_window() -> None:
    x, ptr = torch.randn(5, 1, 5), torch.tensor([0, 4, 5])
    fusion = ConvFusion(HypergraphConv(5, 3))
    for graph in (ConversationGraph(future=0), ConversationGraph(1, 1), ConversationGraph(2, 3)):
        with pytest.raises(
            ValueError, match=r"joins whole conversations, but joins \d+ of 17 pair"
        ):
            fusion(x, graph(x, ptr))
    wide = fusion(x, ConversationGraph(3, 3)(x, ptr))  # of which nothing is left out
    torch.testing.assert_close(wide, fusion(x, ConversationGraph()(x, ptr)))


def test_repr() -> None:
    assert repr(ConvFusion(GCNConv(5, 3))) == "ConvFusion(GCNConv(5, 3))"


@pytest.mark.slow
def test_keeps_the_contracts() -> None:
    check_fusion(ConvFusion(TransformerConv(6, 4), GCNConv(4, 3)))
