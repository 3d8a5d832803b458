"""Runs all comparisons in one process and prints a table of medians and ratios.

python -m benchmarks.run [--only NAME ...] [--output FILE]
"""

import argparse
import json
import math
import platform
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.dense import DenseMMDFN
from benchmarks.floor import floor
from benchmarks.measure import Contestants, interleave, peak_memory
from benchmarks.pyg import PyGFusion, csr
from benchmarks.tasks import fusion_step, model_step, stream_step
from benchmarks.workloads import (
    CHANNELS,
    HIDDEN_CHANNELS,
    IN_CHANNELS,
    Workload,
    iemocap,
    meld,
    single,
)
from graphfusion import MMDFN, ConversationGraph, DynamicFusion, focal_loss


@dataclass
class Row:
    """One line of the table: a measured ratio or amount, and what is asked of it."""

    what: str
    value: float
    unit: str
    target: str
    seconds: dict[str, float]


def model_against_dense(workload: Workload, training: bool, repetitions: int) -> list[Row]:
    """MM-DFN against the published construction, and against the ceiling of any speed-up."""
    torch.manual_seed(0)
    model = MMDFN.from_preset(
        "iemocap", IN_CHANNELS, workload.num_classes, num_layers=workload.num_layers
    ).train(training)
    dense = DenseMMDFN(model, workload.lengths, workload.num_speakers)
    features, speaker, layout = workload.features, workload.speaker, workload.layout
    y, nodes = workload.y, workload.nodes
    ours = model.fusion
    products = floor(ours, model.graph(nodes, layout), backward=training)

    def step(logits: Callable[[], Tensor]) -> Callable[[], None]:
        def run() -> None:
            with torch.set_grad_enabled(training):
                out = logits()
                if training:
                    model.zero_grad()
                    focal_loss(out, y).backward()

        return run

    def encode() -> None:
        x = nodes.clone().requires_grad_(training)
        with torch.set_grad_enabled(training):
            out = model.encoder.contexts["text"](x[:, 2], layout).sum()
            assert model.encoder.speaker_encoder is not None  # noqa: S101
            out = out + model.encoder.speaker_encoder(x[:, [0, 2]], layout).sum()
            if training:
                out.backward()

    seconds = interleave(
        {
            "ours": step(lambda: model(features, layout)),
            "dense": step(lambda: dense(features, speaker)),
            "recurrent encoders": encode,
            "floor": products,
        },
        repetitions,
    )
    speedup = seconds["dense"] / seconds["ours"]
    ceiling = seconds["dense"] / (seconds["recurrent encoders"] + seconds["floor"])
    kind = "training step" if training else "inference"
    target = "at least 25 x" if workload.name == "iemocap x32" else "at least 60 % of the ceiling"
    return [
        Row(f"MM-DFN {kind}, {workload.name}: against dense", speedup, "x", target, seconds),
        Row("  share of the ceiling", 100 * speedup / ceiling, "%", "", {}),
        Row("  ceiling", ceiling, "x", "", {}),
    ]


def fusion_against_floor(workload: Workload, repetitions: int) -> list[Row]:
    """Graph and fusion, forward and backward, against their own matrix products and against PyG."""
    build = ConversationGraph()
    fusion = DynamicFusion(CHANNELS, HIDDEN_CHANNELS, workload.num_layers)
    x, layout = workload.nodes.requires_grad_(), workload.layout
    graph = build(x, layout)
    pyg = PyGFusion(fusion)
    size = workload.num_utterances * len(IN_CHANNELS)
    edge_index, edge_weight = graph.to_edge_index()
    matrix = csr(edge_index, edge_weight, size)
    edge_weight = edge_weight.detach()

    def with_edges() -> None:
        nodes, weight = x.detach().flatten(0, 1), edge_weight.clone().requires_grad_()
        pyg(nodes.requires_grad_(), edge_index, weight).sum().backward()

    def with_csr() -> None:
        pyg(x.detach().flatten(0, 1).requires_grad_(), matrix).sum().backward()

    seconds = interleave(
        {
            "ours": fusion_step(workload),
            "floor": floor(fusion, graph, backward=True),
            "PyG edge_index": with_edges,
            "PyG CSR": with_csr,
        },
        repetitions,
    )
    ours, name = seconds["ours"], workload.name
    return [
        Row(f"fusion, {name}: against the floor", ours / seconds["floor"], "x", "<= 1.3", seconds),
        Row("  PyG edge_index against ours", seconds["PyG edge_index"] / ours, "x", ">= 4", {}),
        Row(
            "  PyG CSR (no edge gradient) against ours", seconds["PyG CSR"] / ours, "x", ">= 1", {}
        ),
    ]


def growth(repetitions: int) -> list[Row]:
    """How time and memory of a training step grow with the number of conversations."""
    counts = (8, 32, 128, 512)
    steps: Contestants = {str(count): model_step(iemocap(count)) for count in counts}
    steps["512 checkpoint"] = model_step(iemocap(512), checkpoint=True)
    seconds = interleave(steps, min(repetitions, 2))
    gib = {name: peak_memory(f"model {name}") for name in steps}
    rows = []
    for key, values in (("seconds", seconds), ("GiB", gib)):
        logs = [math.log(values[str(count)]) for count in counts]
        exponent = _slope([math.log(count) for count in counts], logs)
        rows.append(Row(f"growth of {key}, 8 to 512 conversations", exponent, "", "<= 1.1", values))
    slower = seconds["512 checkpoint"] / seconds["512"]
    return [
        *rows,
        Row("512 conversations, checkpointing", gib["512 checkpoint"], "GiB", "< 4", {}),
        Row("  against none", slower, "x", "<= 1.4", {}),
    ]


def long_conversation(repetitions: int) -> list[Row]:
    """Graph and fusion on one long conversation with a window of ten either side."""
    lengths = (1000, 5000, 20000)
    steps: Contestants = {
        str(n): fusion_step(single(n), window=10, checkpoint=True) for n in lengths
    }
    seconds = interleave(steps, min(repetitions, 2))
    logs = [math.log(length) for length in lengths]
    exponent = _slope(logs, [math.log(value) for value in seconds.values()])
    gib = peak_memory(f"window {lengths[-1]}")
    return [
        Row("window of 10, growth of seconds, 1,000 to 20,000", exponent, "", "~ 1", seconds),
        Row("  20,000 utterances", gib, "GiB", "< 3", {}),
    ]


def streaming(repetitions: int) -> list[Row]:
    """One more utterance of a live conversation, by how many it has had."""
    rows = []
    positions = (10, 100, 1000, 10000)
    for past, target in ((10, "1"), (None, "grows with the past")):
        steps: Contestants = {str(n): stream_step(n, past) for n in positions}
        seconds = interleave(steps, 4 * repetitions)
        window = "without a window" if past is None else f"window of {past}"
        rows.append(
            Row(
                f"streaming, {window}: utterance 10,000 against 10",
                seconds["10000"] / seconds["10"],
                "x",
                target,
                seconds,
            )
        )
    workload = single(100)
    model = MMDFN.from_preset("iemocap", IN_CHANNELS, workload.num_classes, causal=True).eval()
    features, layout = workload.features, workload.layout

    @torch.no_grad()
    def again() -> None:
        model(features, layout)

    seconds = interleave({"step": stream_step(100, None), "all again": again}, 4 * repetitions)
    ratio = seconds["all again"] / seconds["step"]
    return [*rows, Row("  utterance 100, all again against one step", ratio, "x", "> 1", seconds)]


def bfloat16(repetitions: int) -> list[Row]:
    """A training step under autocast against float32."""
    workload = iemocap()
    step = model_step(workload)

    def autocast() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            step()

    seconds = interleave({"float32": step, "bfloat16": autocast}, repetitions)
    ratio = seconds["bfloat16"] / seconds["float32"]
    return [Row("bfloat16 autocast against float32", ratio, "x", "<= 1", seconds)]


def compiled(repetitions: int) -> list[Row]:
    """Compiled graph and fusion, forward and backward, against eager."""
    workload = iemocap()
    build = ConversationGraph()
    fusion = DynamicFusion(CHANNELS, HIDDEN_CHANNELS, workload.num_layers)
    x, layout = workload.nodes.requires_grad_(), workload.layout

    def eager(x: Tensor) -> Tensor:
        out: Tensor = fusion(x, build(x, layout))
        return out

    fast = torch.compile(eager, fullgraph=True, dynamic=True)
    seconds = interleave(
        {
            "eager": lambda: eager(x).sum().backward(),
            "compiled": lambda: fast(x).sum().backward(),
        },
        repetitions,
    )
    ratio = seconds["compiled"] / seconds["eager"]
    return [Row("compiled fusion against eager", ratio, "x", "<= 1", seconds)]


BENCHMARKS: dict[str, Callable[[int], list[Row]]] = {
    "fusion": lambda n: fusion_against_floor(iemocap(), n),
    "bfloat16": bfloat16,
    "compiled": compiled,
    "single": lambda n: model_against_dense(single(50), training=False, repetitions=4 * n),
    "meld": lambda n: model_against_dense(meld(), training=True, repetitions=n),
    "iemocap": lambda n: model_against_dense(iemocap(), training=True, repetitions=min(n, 3)),
    "growth": growth,
    "long": long_conversation,
    "stream": streaming,
}


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Of the least-squares line."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - mean_x) ** 2 for a in x)


def show(row: Row) -> None:
    """Prints one line."""
    seconds = ", ".join(f"{name} {value:.3g}" for name, value in row.seconds.items())
    print(f"{row.what:<60} {row.value:8.2f} {row.unit:<3} {row.target:<28} {seconds}", flush=True)


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks.json"))
    options = parser.parse_args()
    # PyTorch's and PyG's notices about sparse matrices in the PyG baseline.
    warnings.filterwarnings("ignore", "Sparse")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}")
    rows = []
    for name in options.only:
        for row in BENCHMARKS[name](options.repetitions):
            show(row)
            rows.append(row)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    report = {"torch": torch.__version__, "rows": [asdict(row) for row in rows]}
    options.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
