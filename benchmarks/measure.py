"""Interleaved timing and peak memory."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import torch

Contestants: TypeAlias = dict[str, Callable[[], object]]


def turns(
    contestants: Contestants, repetitions: int, device: str = "cpu", untimed: bool = True
) -> dict[str, list[float]]:
    """Seconds of each, in turns: A B C A B C ...

    A slow spell of the machine then meets all of them. Each runs once untimed before it is timed,
    unless `untimed` is false: a training step follows another one, not a contestant that left it
    the memory in another state.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, run in contestants.items():
            if untimed:
                run()
            _wait(device)
            start = time.perf_counter()
            run()
            _wait(device)
            seconds[name].append(time.perf_counter() - start)
    return seconds


def interleave(contestants: Contestants, repetitions: int, device: str = "cpu") -> dict[str, float]:
    """Median seconds of each, in turns."""
    seconds = turns(contestants, repetitions, device)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def peak_memory(task: str) -> float:
    """Runs `python -m benchmarks.tasks TASK` by itself.

    Returns:
        Its peak resident memory beyond the imports, in GiB.
    """
    # Large blocks go back to the system at once; else the C library's cache is counted, too.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "1048576"}
    command = [sys.executable, "-m", "benchmarks.tasks", task]
    done = subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603
    return float(done.stdout)


def resident_peak() -> float:
    """The most memory that this process has had, in GiB (Linux).

    Not `getrusage`: there, a new process begins with the peak of the one that started it.
    """
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 2**20
