"""Typed edges and hyperedges, by their definitions."""

import pytest
import torch
from hypothesis import given

from graphfusion import BatchLayout, ConversationGraph
from graphfusion.graph.edge_types import EDGE_TYPES
from graphfusion.graph.hyperedges import hyperedges
from graphfusion.testing.strategies import RaggedBatch, batches, windows


def type_of(batch: RaggedBatch, source: int, target: int) -> str:
    """What an edge joins, in words."""
    (s, m), (t, n) = (divmod(node, batch.x.size(1)) for node in (source, target))
    if m != n:
        return "another modality"
    if s == t:
        return "itself"
    who = "the same" if batch.speaker[s] == batch.speaker[t] else "another"
    return f"{'past' if s < t else 'future'} of {who} speaker"


@given(batches(), windows, windows)
def test_edge_types_are_their_definitions(
    batch: RaggedBatch, past: int | None, future: int | None
) -> None:
    graph = ConversationGraph(past, future)(batch.x, batch.layout)
    edge_index, _ = graph.to_edge_index()
    types = graph.edge_type(batch.layout)
    assert torch.equal(types, graph.edge_type())
    assert types.dtype == torch.int64
    found = [EDGE_TYPES[kind] for kind in types.tolist()]
    assert found == [type_of(batch, *edge) for edge in edge_index.T.tolist()]


@given(batches(max_modalities=4))
def test_hyperedges_are_utterances_and_modalities_of_conversations(batch: RaggedBatch) -> None:
    width = batch.x.size(1)
    found: dict[int, set[int]] = {}
    for node, edge in hyperedges(batch.layout, width).T.tolist():
        found.setdefault(edge, set()).add(node)
    expected = []
    present = [[int(m) for m in row.nonzero()] for row in batch.here]
    expected += [{u * width + m for m in row} for u, row in enumerate(present)]
    for start, end in zip(batch.ptr[:-1].tolist(), batch.ptr[1:].tolist(), strict=True):
        for m in range(width):
            expected.append({u * width + m for u in range(start, end) if m in present[u]})
    assert sorted(map(sorted, found.values())) == sorted(sorted(each) for each in expected if each)


def test_edge_types_need_speakers() -> None:
    ptr = torch.tensor([0, 3])
    graph = ConversationGraph()(torch.randn(3, 2, 4), ptr)
    with pytest.raises(ValueError, match="speaker must be given to the layout for edge types, but"):
        graph.edge_type()
    layout = BatchLayout(ptr, torch.tensor([0, 1, 0]))
    assert len(graph.edge_type(layout)) == len(graph.to_edge_index()[1])
    for ptr in ([0, 2], [0, 1, 3]):
        other = BatchLayout(torch.tensor(ptr), torch.zeros(ptr[-1], dtype=torch.int64))
        with pytest.raises(ValueError, match=r"layout must be of .* with ptr \[0, 3\], but got"):
            graph.edge_type(other)
    with pytest.raises(ValueError, match="speaker must be given to the layout for edge types, but"):
        graph.edge_type(torch.tensor([0, 3]))
