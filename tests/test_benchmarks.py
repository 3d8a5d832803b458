"""The benchmarks' baselines compute the same, and every benchmark runs; nothing is timed here."""

import os

import pytest
import torch
from hypothesis import given

from benchmarks import run
from benchmarks.dense import DenseMMDFN, dense_adjacency, dense_fusion
from benchmarks.floor import floor
from benchmarks.measure import interleave
from benchmarks.pyg import PyGFusion, csr
from benchmarks.tasks import fusion_step, model_step, stream_step, tasks
from benchmarks.workloads import Workload, iemocap, meld
from graphfusion import MMDFN, ConversationGraph, DynamicFusion
from graphfusion.testing.strategies import RaggedBatch, batches

TINY = Workload("tiny", (3, 1, 2), num_speakers=2, num_layers=2, num_classes=3)
EQUAL = Workload("equal", (4, 4, 4), num_speakers=1, num_layers=2, num_classes=3)
# PyTorch warns once that CSR is in beta.
beta = pytest.mark.filterwarnings("ignore:Sparse:UserWarning")


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).detach().abs().max() / other.detach().abs().max())


@given(batches(masked=False, odd_vectors=False))
def test_the_dense_fusion_stack_agrees_on_any_batch(batch: RaggedBatch) -> None:
    fusion = DynamicFusion(5, 4, 3)
    x = batch.x.float()
    ours = fusion(x, ConversationGraph()(x, batch.ptr))
    adjacency = dense_adjacency(x, tuple(batch.ptr.diff().tolist()))
    dense = dense_fusion(fusion, x.transpose(0, 1).flatten(0, 1), adjacency)
    dense = dense.view(x.size(1), x.size(0), -1).transpose(0, 1)
    assert relative(ours, dense) < 1e-5


@pytest.mark.parametrize(("workload", "agrees"), [(EQUAL, True), (TINY, False)])
def test_the_dense_model_agrees_where_padding_does_not_matter(
    workload: Workload, agrees: bool
) -> None:
    sizes = {name: value.size(1) for name, value in workload.features.items()}
    model = MMDFN.from_preset("iemocap", sizes, 3, num_layers=2).eval()
    dense = DenseMMDFN(model, workload.lengths, workload.num_speakers)
    ours = model(workload.features, workload.layout)
    difference = relative(dense(workload.features, workload.speaker), ours)
    if agrees:
        assert difference < 1e-5
    else:  # the padding leaks into the published construction's predictions
        assert difference > 1e-4


@beta
def test_pyg_agrees() -> None:
    fusion = DynamicFusion(200, 100, 3)
    x = TINY.nodes
    graph = ConversationGraph()(x, TINY.ptr)
    ours = fusion(x, graph).flatten(0, 1)
    pyg = PyGFusion(fusion)
    nodes = x.flatten(0, 1)
    edges = graph.to_edge_index()
    assert relative(pyg(nodes, *edges), ours) < 1e-5
    assert relative(pyg(nodes, csr(*edges, len(nodes))), ours) < 1e-5


@pytest.mark.filterwarnings("ignore:Warning. Profiler clears events")  # PyTorch 2.11's
def test_the_floor_multiplies_what_the_stack_does() -> None:
    """The products counted by hand, and by the profiler in the real step."""
    fusion = DynamicFusion(200, 100, 3)
    x = TINY.nodes.requires_grad_()
    build = ConversationGraph()
    graph = build(x, TINY.ptr)

    def flops(step: object) -> int:
        with torch.profiler.profile(with_flops=True) as profile:
            step()
        names = ("aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm")
        return sum(event.flops for event in profile.key_averages() if event.key in names)

    counted = flops(floor(fusion, graph, backward=False))
    done = flops(lambda: fusion(x, build(x, TINY.ptr)))
    assert counted == pytest.approx(done, rel=0.02)


def test_workloads_are_what_they_say() -> None:
    big = iemocap()
    assert len(big.lengths) == 32
    assert max(big.lengths) == 110
    assert 40 < big.num_utterances / 32 < 50
    assert max(meld().lengths) == 33
    assert min(meld().lengths) == 1
    assert 9 < meld().num_utterances / 32 < 11
    assert iemocap(512).num_utterances == pytest.approx(16 * big.num_utterances, rel=0.02)
    assert torch.equal(big.speaker, iemocap().speaker)
    assert big.speaker.max() == 1
    assert meld().speaker.max() == 8


@beta
def test_every_benchmark_runs() -> None:
    rows = [
        *run.model_against_dense(TINY, training=True, repetitions=1),
        *run.model_against_dense(EQUAL, training=False, repetitions=1),
        *run.fusion_against_floor(TINY, repetitions=1),
    ]
    for row in rows:
        run.show(row)
        assert row.value > 0
    model_step(TINY, checkpoint=True)()
    fusion_step(TINY, window=1)()
    for past in (None, 2):
        stream_step(5, past)()
    assert {"model 8", "model 512 checkpoint", "window 20000"} <= tasks().keys()


def test_interleaving() -> None:
    turns = []
    seconds = interleave({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, 2)
    assert turns == ["a", "a", "b", "b"] * 2
    assert seconds.keys() == {"a", "b"}


@pytest.mark.slow
def test_memory_is_measured_in_a_process_of_its_own() -> None:
    assert 0 < run.peak_memory("model 8") < 4
    assert "MALLOC_MMAP_THRESHOLD_" not in os.environ
