"""Statistics of a graph's edge weights, against the dense matrix."""

import math

import pytest
import torch
from hypothesis import given

from graphfusion import BatchLayout, ConversationGraph
from graphfusion.graph.edge_statistics import edge_statistics
from graphfusion.testing import RaggedBatch
from graphfusion.testing.strategies import batches


@given(batches())
def test_they_are_those_of_the_dense_matrix(batch: RaggedBatch) -> None:
    graph = ConversationGraph()(batch.x, batch.layout)
    modality = torch.arange(batch.x.size(1)).repeat(len(batch.x))
    perplexities, relative, cross = [], [], []
    for row, own in zip(graph.to_dense().double(), modality, strict=True):
        within = row[(modality == own) & (row > 0)]
        if not len(within):
            continue
        share = within / within.sum()
        perplexities.append(math.exp(-(share * share.log()).sum()) / len(share))
        relative += (share * len(share)).tolist()
        cross.append(float(1 - within.sum() / row.sum()))
    found = edge_statistics(graph)
    if not relative:
        assert all(map(math.isnan, found.values()))
        return
    expected = {
        "perplexity": sum(perplexities) / len(perplexities),
        "least": min(relative),
        "largest": max(relative),
        "cross_modal": sum(cross) / len(cross),
    }
    assert found == pytest.approx(expected, abs=1e-5)
    assert 0 < found["perplexity"] <= 1 + 1e-9


def test_absent_nodes_do_not_count() -> None:
    x = torch.randn(4, 2, 3)
    present = torch.tensor([[True, False]] * 4)
    graph = ConversationGraph()(x, BatchLayout(torch.tensor([0, 4]), present=present))
    alone = ConversationGraph()(x[:, :1], torch.tensor([0, 4]))
    assert edge_statistics(graph) == pytest.approx(edge_statistics(alone))
    assert edge_statistics(graph)["cross_modal"] == pytest.approx(0)


def test_a_graph_without_edges_has_none() -> None:
    layout = BatchLayout(torch.tensor([0, 2]), present=torch.zeros(2, 1, dtype=torch.bool))
    found = edge_statistics(ConversationGraph()(torch.randn(2, 1, 3), layout))
    assert all(map(math.isnan, found.values()))
