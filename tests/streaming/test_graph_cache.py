"""The graph of growing conversations; `test_stream.py` has the whole model on it."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import ConversationGraph, DynamicFusion
from graphfusion.streaming.graph_cache import GraphCache
from graphfusion.testing.strategies import RaggedBatch, batches, windows
from tests.asserts import assert_equal


@given(batches(), windows, st.sampled_from([0.0, 0.7, 1.0]))
def test_the_newest_rows_are_those_of_the_whole_graph(
    batch: RaggedBatch, past: int | None, cross_weight: float
) -> None:
    """Zero vectors, duplicates and absent nodes included, which a model would hide."""
    graph = ConversationGraph(past, 0, cross_weight)
    y = torch.randn(*batch.x.shape[:2], 3, dtype=torch.float64)
    whole = graph(batch.x, batch.layout)
    expected = whole.propagate(y)
    fusion = DynamicFusion(batch.x.size(2), y.size(2), num_layers=1).double()
    fused = torch.randn(*batch.x.shape[:2], fusion.out_channels, dtype=torch.float64)
    fused = fused.where(batch.here.unsqueeze(2), 0)
    imputed = whole.impute(fused)
    cache = GraphCache(graph, fusion, len(batch.ptr) - 1, batch.x.size(1))
    start, lengths = batch.ptr[:-1], batch.ptr.diff()
    for step in range(int(lengths.max())):
        conversation = (lengths > step).nonzero().flatten()
        rows = start[conversation] + step
        here = batch.here[rows]
        with torch.no_grad():
            newest = cache.newest(batch.x[rows], here, conversation)
            assert_equal(newest.propagate(y[rows])[here], expected[rows][here])
            again = cache.newest(batch.x[rows], here, conversation)
            assert not fusion(batch.x[rows], again)[~here].any()
            assert_equal(cache.impute(fused[rows], here, conversation), imputed[rows])
            cache.append(newest, fused[rows], conversation)
