"""Benchmark of inference: one conversation, a thousand, and simultaneous live ones.

python -m benchmarks.inference [--output FILE]

The baseline is the same model on padded batches (`PaddedModel`), with the same weights and logits.
Times include batching or padding.
"""

import argparse
import json
import statistics
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import Batch

from benchmarks.measure import Contestants, turns
from benchmarks.report import machine
from benchmarks.tasks import model_of
from benchmarks.workloads import Workload, iemocap, single
from graphfusion import Conversation
from graphfusion.export import PaddedBatch, PaddedModel

BATCH, LENGTH, WINDOW = 32, 50, 10


def conversations(workload: Workload) -> list[Conversation]:
    """Splits a workload into its conversations."""
    lengths = list(workload.lengths)
    features = {name: value.split(lengths) for name, value in workload.features.items()}
    return [
        Conversation({name: parts[b] for name, parts in features.items()}, speaker)
        for b, speaker in enumerate(workload.speaker.split(lengths))
    ]


def one(workload: Workload) -> Contestants:
    """`MMDFN.predict` on one conversation, which returns the probability of each class."""
    (conversation,) = conversations(workload)
    model = model_of(workload).eval()
    padded = PaddedModel(model)

    @torch.inference_mode()
    def with_padding() -> list[dict[str, float]]:
        (logits,) = padded(*PaddedBatch.of([conversation]))
        return [dict(zip(model.class_names, p, strict=True)) for p in logits.softmax(1).tolist()]

    return {"ours": lambda: model.predict(conversation), "padded": with_padding}


def many(workload: Workload, size: int = BATCH) -> Contestants:
    """Inference on stored conversations; each call processes the next batch."""
    stored = conversations(workload)
    model = model_of(workload).eval()
    padded = PaddedModel(model)

    def batches() -> Iterator[list[Conversation]]:
        while True:
            for start in range(0, len(stored), size):
                yield stored[start : start + size]

    ours, others = batches(), batches()

    @torch.inference_mode()
    def packed() -> Tensor:
        logits: Tensor = model(Batch.from_data_list(next(ours)))
        return logits

    @torch.inference_mode()
    def with_padding() -> Tensor:
        several = next(others)
        logits: Tensor = padded(*PaddedBatch.of(several))
        kept = [row[: len(each.speaker)] for row, each in zip(logits, several, strict=True)]
        return torch.cat(kept)

    return {"ours": packed, "padded": with_padding}


def live(workload: Workload, count: int) -> Contestants:
    """Prediction of the newest utterance of `count` simultaneous conversations.

    The model has a window, and the workload is one conversation. The baseline on padded batches
    recomputes all earlier utterances.
    """
    model = model_of(workload, past=WINDOW, causal=True).eval()
    padded = PaddedModel(model)
    stream = model.stream(count)
    (length,) = workload.lengths
    features = {name: value.expand(count, -1, -1) for name, value in workload.features.items()}
    speaker = workload.speaker.expand(count, -1)
    present = {name: torch.ones(count, length, dtype=torch.bool) for name in features}
    newest = {name: value[:, -1] for name, value in features.items()}
    for step in range(length - 1):
        stream.step({name: value[:, step] for name, value in features.items()}, speaker[:, step])

    @torch.inference_mode()
    def with_padding() -> Tensor:
        logits: Tensor = padded(features, speaker, present)
        return logits[:, -1]

    return {"ours": lambda: stream.step(newest, speaker[:, -1]), "padded": with_padding}


def measure(what: str, contestants: Contestants, calls: int, total: int) -> dict[str, object]:
    """Measures and prints the latency of a call in milliseconds, and the throughput per second.

    Args:
        what: The name of the row.
        contestants: The functions to compare.
        calls: The number of timed calls of each.
        total: The number of conversations (live: of utterances) in all calls.
    """
    for run in contestants.values():
        run()
    row: dict[str, object] = {"what": what, "calls": calls}
    for name, seconds in turns(contestants, calls, untimed=False).items():
        row[name] = {
            "median": 1000 * statistics.median(seconds),
            "99th percentile": 1000 * float(torch.tensor(seconds).quantile(0.99)),
            "a second": total / sum(seconds),
        }
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    """Runs all benchmarks, and prints and writes their rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/inference.json"))
    options = parser.parse_args()
    conversation, thousand = single(LENGTH), iemocap(1000)
    rows = [
        measure(f"one conversation of {LENGTH}", one(conversation), 150, 150),
        measure(f"a thousand, in batches of {BATCH}", many(thousand), -(-1000 // BATCH), 1000),
        measure("live, one", live(conversation, 1), 200, 200),
        measure("live, 32 side by side", live(conversation, 32), 30, 30 * 32),
        measure("live, 256 side by side", live(conversation, 256), 10, 10 * 256),
    ]
    report = {"torch": torch.__version__, "machine": machine(), "rows": rows}
    options.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
