"""Single steps; each can run in its own process, to measure its peak memory."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks.measure import resident_peak
from benchmarks.workloads import CHANNELS, HIDDEN_CHANNELS, IN_CHANNELS, Workload, iemocap, single
from graphfusion import MMDFN, ConversationGraph, DynamicFusion, focal_loss
from graphfusion.streaming.graph_cache import GraphCache


def model_of(workload: Workload, **changes: Any) -> MMDFN:
    """MM-DFN with the settings of the paper, except the given ones, and the weights of seed 0."""
    torch.manual_seed(0)
    changes |= {"num_layers": workload.num_layers}
    return MMDFN.from_preset("iemocap", IN_CHANNELS, workload.num_classes, **changes)


def model_step(
    workload: Workload, checkpoint: bool = False, device: str = "cpu"
) -> Callable[[], None]:
    """A training step of MM-DFN, from features to gradients."""
    model = model_of(workload, checkpoint=checkpoint).to(device)
    features, layout, y = workload.on(device)

    def run() -> None:
        model.zero_grad()
        focal_loss(model(features, layout), y).backward()

    return run


def fusion_step(
    workload: Workload,
    window: int | None = None,
    checkpoint: bool = False,
    device: str = "cpu",
) -> Callable[[], None]:
    """Graph and fusion, forward and backward, with gradients through the edges."""
    torch.manual_seed(0)
    build = ConversationGraph(past=window, future=window)
    fusion = DynamicFusion(CHANNELS, HIDDEN_CHANNELS, workload.num_layers, checkpoint=checkpoint)
    fusion = fusion.to(device)
    x, layout = workload.nodes.to(device).requires_grad_(), workload.layout.to(device)

    def run() -> None:
        x.grad = None
        fusion.zero_grad()
        fusion(x, build(x, layout)).sum().backward()

    return run


def stream_step(position: int, past: int | None) -> Callable[[], None]:
    """Prediction of the next utterance of a live conversation after `position` earlier ones."""
    torch.manual_seed(0)
    model = MMDFN.from_preset("iemocap", IN_CHANNELS, 6, past=past, causal=True).eval()
    workload = single(1)
    stream = model.stream()
    stream.step(workload.features, workload.speaker)
    state = stream.state_dict()
    # The time depends on the size of the state, not on its values.
    places = position if past is None else min(position, past)
    for key, value in state.items():
        _, name, *_ = key.split(".")
        if key.startswith("graph.") and name in GraphCache.growing:
            # Each key belongs to one modality, so it lacks that axis, before the one that grows.
            axis = GraphCache.growing[name] - 1
            state[key] = value.narrow(axis, 0, 1).repeat_interleave(places, axis)
    state["graph.position"] = torch.tensor([position])
    stream.load_state_dict(state)
    features, speaker = workload.features, workload.speaker

    def run() -> None:
        stream.step(features, speaker)

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
    """Runs one task, and prints its peak memory in GiB."""
    before = resident_peak()
    tasks()[name]()()
    print(resident_peak() - before)


if __name__ == "__main__":
    main(sys.argv[1])
