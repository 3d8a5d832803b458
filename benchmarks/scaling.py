"""Benchmarks of scaling with length and batch size, of precision, and of compilation."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.measure import Contestants, interleave, peak_memory
from benchmarks.report import Row
from benchmarks.tasks import fusion_step, model_step, stream_step
from benchmarks.workloads import CHANNELS, HIDDEN_CHANNELS, IN_CHANNELS, iemocap, single
from graphfusion import MMDFN, ConversationGraph, DynamicFusion


def growth(repetitions: int) -> list[Row]:
    """Growth of time and memory of a training step with the number of conversations."""
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
        Row("512 conversations, checkpointing", gib["512 checkpoint"], "GiB", "< 4"),
        Row("  against none", slower, "x", "<= 1.4"),
    ]


def long_conversation(repetitions: int) -> list[Row]:
    """Graph and fusion on one long conversation, with a window of ten on either side."""
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
        Row("  20,000 utterances", gib, "GiB", "< 3"),
    ]


def streaming(repetitions: int) -> list[Row]:
    """Time of the next utterance of a live conversation, by the number of earlier ones."""
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
    """Compares a training step under bfloat16 autocast with float32."""
    workload = iemocap()
    step = model_step(workload)

    def autocast() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            step()

    seconds = interleave({"float32": step, "bfloat16": autocast}, repetitions)
    ratio = seconds["bfloat16"] / seconds["float32"]
    return [Row("bfloat16 autocast against float32", ratio, "x", "<= 1", seconds)]


def compiled(repetitions: int) -> list[Row]:
    """Compares compiled graph and fusion, forward and backward, with eager mode."""
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


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Slope of the least-squares line."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - mean_x) ** 2 for a in x)
