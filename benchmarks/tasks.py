"""Single steps, each to be run in a process of its own so that its peak memory can be read."""

import sys
from collections.abc import Callable
from functools import partial

import torch

from benchmarks.measure import resident_peak
from benchmarks.workloads import CHANNELS, HIDDEN_CHANNELS, IN_CHANNELS, Workload, iemocap, single
from graphfusion import MMDFN, ConversationGraph, DynamicFusion, focal_loss


def model_step(workload: Workload, checkpoint: bool = False) -> Callable[[], None]:
    """A training step of MM-DFN, from features to gradients."""
    torch.manual_seed(0)
    model = MMDFN.from_preset(
        "iemocap",
        IN_CHANNELS,
        workload.num_classes,
        num_layers=workload.num_layers,
        checkpoint=checkpoint,
    )
    features, geometry, y = workload.features, workload.geometry, workload.y

    def run() -> None:
        model.zero_grad()
        focal_loss(model(features, geometry), y).backward()

    return run


def fusion_step(
    workload: Workload, window: int | None = None, checkpoint: bool = False
) -> Callable[[], None]:
    """Graph and fusion, forward and backward, gradients through the edges."""
    torch.manual_seed(0)
    build = ConversationGraph(past=window, future=window)
    fusion = DynamicFusion(CHANNELS, HIDDEN_CHANNELS, workload.num_layers, checkpoint=checkpoint)
    x, geometry = workload.nodes.requires_grad_(), workload.geometry

    def run() -> None:
        x.grad = None
        fusion.zero_grad()
        fusion(x, build(x, geometry)).sum().backward()

    return run


def tasks() -> dict[str, Callable[[], Callable[[], None]]]:
    """All tasks by name."""
    found: dict[str, Callable[[], Callable[[], None]]] = {}
    for count in (8, 32, 128, 512):
        found[f"model {count}"] = partial(model_step, iemocap(count))
    found["model 512 checkpoint"] = partial(model_step, iemocap(512), checkpoint=True)
    for length in (1000, 5000, 20000):
        workload = single(length)
        found[f"window {length}"] = partial(fusion_step, workload, window=10, checkpoint=True)
    return found


def main(name: str) -> None:
    """Runs one task and prints the GiB that it took."""
    before = resident_peak()
    tasks()[name]()()
    print(resident_peak() - before)


if __name__ == "__main__":
    main(sys.argv[1])
