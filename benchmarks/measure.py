"""Measurement of interleaved times and of peak memory."""

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
    """Times of all functions in seconds, run alternately: A B C A B C ...

    Temporary load on the machine then affects all of them. Unless `untimed` is false, each function
    runs once before each timed run, so that it starts from the memory state that it leaves itself.
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
    """Median times of all functions in seconds, run alternately."""
    seconds = turns(contestants, repetitions, device)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def peak_memory(task: str) -> float:
    """Runs `python -m benchmarks.tasks TASK` in its own process.

    Returns:
        Its peak resident memory beyond the imports, in GiB.
    """
    # Large blocks are returned to the system at once; otherwise, unused ones would be counted.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "1048576"}
    command = [sys.executable, "-m", "benchmarks.tasks", task]
    done = subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603
    return float(done.stdout)


def resident_peak() -> float:
    """Peak resident memory of this process, in GiB (Linux).

    `getrusage` is not used, because a new process inherits the peak of its parent there.
    """
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 2**20
