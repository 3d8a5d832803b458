"""Runs all CPU benchmarks in one process, and prints a table of medians and ratios.

python -m benchmarks.run [--only NAME ...] [--output FILE] [--trend FILE]
"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import scaling, trend
from benchmarks.comparisons import fusion_against_floor, model_against_dense
from benchmarks.report import Row, machine, show, write
from benchmarks.workloads import iemocap, meld, single

BENCHMARKS: dict[str, Callable[[int], list[Row]]] = {
    "fusion": lambda n: fusion_against_floor(iemocap(), n),
    "bfloat16": scaling.bfloat16,
    "compiled": scaling.compiled,
    "single": lambda n: model_against_dense(single(50), training=False, repetitions=4 * n),
    "meld": lambda n: model_against_dense(meld(), training=True, repetitions=n),
    "iemocap": lambda n: model_against_dense(iemocap(), training=True, repetitions=min(n, 3)),
    "growth": scaling.growth,
    "long": scaling.long_conversation,
    "stream": scaling.streaming,
}


def main() -> None:
    """Runs the chosen benchmarks, and prints and writes their rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks.json"))
    parser.add_argument("--trend", type=Path, help="a file to append this run's ratios to")
    options = parser.parse_args()
    # Warnings of PyTorch and PyG about sparse matrices in the PyG baseline.
    warnings.filterwarnings("ignore", "Sparse")
    print(f"torch {torch.__version__}, {machine()}")
    rows = []
    for name in options.only:
        for row in BENCHMARKS[name](options.repetitions):
            show(row)
            rows.append(row)
    write(options.output, rows)
    if options.trend:
        trend.append(options.trend, rows)


if __name__ == "__main__":
    main()
