"""Benchmark of MM-DFN in eager mode and compiled, for training and inference.

python -m benchmarks.compiled [--only training inference] [--output FILE]

The model is compiled in two ways: as one graph, and with the recurrent encoders in eager mode.
Compilation takes minutes.
"""

import argparse
import copy
import json
from collections.abc import Callable
from pathlib import Path
from types import MethodType

import torch
from torch import Tensor

from benchmarks.measure import Contestants, interleave
from benchmarks.report import Row, machine, show, write
from benchmarks.tasks import model_of
from benchmarks.workloads import Workload, iemocap
from graphfusion import MMDFN, focal_loss
from graphfusion.encoders.recurrent import RecurrentEncoder

KINDS = ("training", "inference")


def in_eager_mode(model: MMDFN) -> MMDFN:
    """Copies a model, with graph breaks around its recurrent encoders, which run in eager mode."""
    outside = torch.compiler.disable(RecurrentEncoder._run)
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, RecurrentEncoder):
            module._run = MethodType(outside, module)  # type: ignore[method-assign]
    return model


def contestants(workload: Workload, training: bool, backend: str = "inductor") -> Contestants:
    """Steps of equal models with equal weights, in eager mode and compiled."""
    model = model_of(workload).train(training)
    features, layout, y = workload.on("cpu")

    def step(model: MMDFN, forward: Callable[..., Tensor]) -> Callable[[], Tensor]:
        def run() -> Tensor:
            with torch.set_grad_enabled(training):
                logits = forward(features, layout)
                if training:
                    model.zero_grad()
                    focal_loss(logits, y).backward()
            return logits.detach()

        return run

    outside, inside = in_eager_mode(model), copy.deepcopy(model)
    return {
        "eager": step(model, model),
        "encoders eager": step(outside, torch.compile(outside, dynamic=True, backend=backend)),
        "one graph": step(
            inside, torch.compile(inside, dynamic=True, fullgraph=True, backend=backend)
        ),
    }


def measure(
    workload: Workload, training: bool, repetitions: int, backend: str = "inductor"
) -> list[Row]:
    """Measures the time of compiled steps relative to eager mode, without compilation."""
    steps = contestants(workload, training, backend)
    for run in steps.values():
        run()
    seconds = interleave(steps, repetitions)
    kind = "training step" if training else "inference"
    return [
        Row(
            f"compiled {kind}, {workload.name}, {name}: against eager",
            seconds[name] / seconds["eager"],
            "x",
            "<= 1",
            seconds,
        )
        for name in ("encoders eager", "one graph")
    ]


def merged(path: Path, rows: list[Row]) -> list[Row]:
    """Merges new rows into those of a file, if it exists."""
    found = json.loads(path.read_text())["rows"] if path.exists() else []
    new = {row.what for row in rows}
    return [*(Row(**each) for each in found if each["what"] not in new), *rows]


def main() -> None:
    """Runs the chosen benchmarks, and writes their rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=KINDS)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/compiled.json"))
    options = parser.parse_args()
    name = machine()
    print(f"torch {torch.__version__}, {name}")
    rows = []
    for kind in options.only or KINDS:
        for row in measure(iemocap(), kind == "training", options.repetitions):
            show(row)
            rows.append(row)
    write(options.output, merged(options.output, rows), machine=name)


if __name__ == "__main__":
    main()
