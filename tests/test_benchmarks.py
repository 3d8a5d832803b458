"""The benchmarks' baselines compute the same, and every benchmark runs; nothing is timed here."""

import json
import os
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from torch._dynamo.utils import counters

from benchmarks import compiled, gpu, inference, run, trend
from benchmarks.comparisons import fusion_against_floor, model_against_dense
from benchmarks.dense import DenseMMDFN, dense_adjacency, dense_fusion
from benchmarks.floor import floor
from benchmarks.measure import interleave, peak_memory
from benchmarks.pyg import PyGFusion, csr
from benchmarks.report import Row, show, write
from benchmarks.tasks import fusion_step, model_of, model_step, stream_step, tasks
from benchmarks.trend import TINY
from benchmarks.workloads import Workload, iemocap, meld
from graphfusion import MMDFN, ConversationGraph, DynamicFusion
from graphfusion.testing.strategies import RaggedBatch, batches

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


def test_workloads_have_the_documented_sizes() -> None:
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
        *model_against_dense(TINY, training=True, repetitions=1),
        *model_against_dense(EQUAL, training=False, repetitions=1),
        *fusion_against_floor(TINY, repetitions=1),
    ]
    for row in rows:
        show(row)
        assert row.value > 0
    model_step(TINY, checkpoint=True)()
    fusion_step(TINY, window=1)()
    for past in (None, 2):
        stream_step(5, past)()
    assert {"iemocap", "growth", "stream"} <= run.BENCHMARKS.keys()
    assert {"model 8", "model 512 checkpoint", "window 20000"} <= tasks().keys()


def test_interleaving() -> None:
    turns = []
    seconds = interleave({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, 2)
    assert turns == ["a", "a", "b", "b"] * 2
    assert seconds.keys() == {"a", "b"}


@pytest.mark.slow
def test_memory_is_measured_in_a_process_of_its_own() -> None:
    assert 0 < peak_memory("model 8") < 4
    assert "MALLOC_MMAP_THRESHOLD_" not in os.environ


def test_the_gpu_benchmark_runs_on_a_cpu_but_for_what_needs_cuda(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `make bench-gpu-smoke` does."""
    output = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", "cpu", "--output", str(output)])
    gpu.main()
    report, printed = json.loads(output.read_text()), capsys.readouterr().out
    for what in (
        "MM-DFN training step, tiny: against dense",
        "MM-DFN inference, 1 x 4: against dense",
        "fusion, tiny: against the floor",
        "  PyG edge_index against ours",
    ):
        (row,) = (row for row in report["rows"] if row["what"] == what)
        assert row["value"] > 0
        assert what in printed
    for name in ("launches", "synchronisations", "capture", "memory"):
        assert f"{name:<60} skipped: needs a CUDA device" in printed


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_the_gpu_benchmark_fails_without_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["gpu", "--output", str(output)])
    with pytest.raises(SystemExit, match="must be a CUDA device") as raised:
        gpu.main()
    assert isinstance(raised.value.code, str)  # printed as an error, with status 1
    assert not output.exists()


def test_what_fails_on_a_gpu_is_named_and_the_rest_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fusion(_: gpu.Setting) -> list[Row]:
        raise RuntimeError("out of memory")

    output = tmp_path / "gpu.json"
    monkeypatch.setattr(gpu, "EVERYWHERE", (fusion, lambda _: [Row("other", 1.0, "x")]))
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", "cpu", "--output", str(output)])
    with pytest.raises(SystemExit, match="failed: fusion"):
        gpu.main()
    assert [row["what"] for row in json.loads(output.read_text())["rows"]] == ["other"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@beta
def test_the_gpu_benchmark_runs_on_a_gpu() -> None:
    setting = gpu.Setting("cuda", gpu.TINY.batches, gpu.TINY.conversation, repetitions=1)
    found, failed = gpu.measure(setting)
    assert not failed
    rows = {row.what: row.value for row in found}
    assert rows["synchronisations, training step"] == 0
    assert rows["  largest difference of a logit"] < 1e-3


def test_padded_batches_give_what_inference_gives() -> None:
    few = Workload("few", (3, 1, 2, 4), num_speakers=2, num_layers=2, num_classes=3)
    stored, live = inference.many(few, size=3), inference.live(gpu.TINY.conversation, 2)
    for contestants in (stored, stored, stored, live):  # two batches, and the first one again
        torch.testing.assert_close(*(call() for call in contestants.values()))
    one, other = (call() for call in inference.one(gpu.TINY.conversation).values())
    assert one == [pytest.approx(each, abs=1e-5) for each in other]


def test_inference_is_measured() -> None:
    row = inference.measure("one", inference.one(gpu.TINY.conversation), calls=3, total=3)
    for name in ("ours", "padded"):
        assert 0 < row[name]["median"] <= row[name]["99th percentile"]
        assert row[name]["a second"] > 0


def test_what_is_measured_anew_replaces_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "compiled.json"
    assert compiled.merged(file, []) == []
    write(file, [Row("a", 1.0, "x"), Row("b", 2.0, "x")])
    rows = compiled.merged(file, [Row("b", 3.0, "x")])
    assert [(row.what, row.value) for row in rows] == [("a", 1.0), ("b", 3.0)]


def test_a_model_whose_encoders_leave_the_graph_gives_the_same() -> None:
    model = model_of(TINY).eval()
    features, layout, _ = TINY.on("cpu")
    outside = compiled.in_eager_mode(model)
    torch.testing.assert_close(outside(features, layout), model(features, layout))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of PyTorch's own, where the graph breaks
def test_compiled_steps_run() -> None:
    small = Workload("small", (3, 5), num_speakers=2, num_layers=1, num_classes=3)
    counters.clear()
    rows = compiled.measure(small, training=True, repetitions=1, backend="eager")
    assert [row.what for row in rows] == [
        f"compiled training step, small, {name}: against eager"
        for name in ("encoders eager", "one graph")
    ]
    assert all(row.value > 0 for row in rows)
    assert counters["graph_break"]


def test_the_trend_has_the_kernels_of_today() -> None:
    """After a change that adds or saves some, `python -m benchmarks.trend` appends an entry."""
    entries = json.loads(trend.FILE.read_text(encoding="utf-8"))
    last = [each for each in entries if each["kernels"]][-1]
    if last["torch"].split(".")[:2] != torch.__version__.split(".")[:2]:
        pytest.skip(f"counted with PyTorch {last['torch']}")
    assert trend.kernels() == last["kernels"]


def test_an_entry_of_the_trend_has_ratios_and_no_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trend, "kernels", lambda: {"training step": 5})
    monkeypatch.setattr(trend, "peak_memory", lambda task: len(task) / 100)
    rows = [Row("ours: against dense", 2.123, "x", "", {"ours": 1.5}), Row("other", 1.5, "GiB")]
    file = tmp_path / "trend.json"
    for size in (1, 2):
        trend.append(file, rows)
        entries = json.loads(file.read_text())
        assert len(entries) == size
        assert entries[-1]["ratios"] == {"ours: against dense": 2.12}
        assert entries[-1].keys() == {"commit", "date", "torch", "kernels", "GiB", "ratios"}
