"""Comparisons of MM-DFN and its fusion with other implementations of the same equations."""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.dense import DenseMMDFN
from benchmarks.floor import floor
from benchmarks.measure import interleave
from benchmarks.pyg import PyGFusion, csr
from benchmarks.report import Row
from benchmarks.tasks import fusion_step, model_of
from benchmarks.workloads import CHANNELS, HIDDEN_CHANNELS, IN_CHANNELS, Workload
from graphfusion import ConversationGraph, DynamicFusion, focal_loss


def model_against_dense(
    workload: Workload, training: bool, repetitions: int, device: str = "cpu"
) -> list[Row]:
    """Compares MM-DFN with the dense construction, and the speed-up with its upper bound."""
    model = model_of(workload)
    model = model.to(device).train(training)
    dense = DenseMMDFN(model, workload.lengths, workload.num_speakers)
    features, layout, y = workload.on(device)
    speaker, nodes = workload.speaker.to(device), workload.nodes.to(device)
    products = floor(model.fusion, model.graph(nodes, layout), backward=training)

    def step(logits: Callable[[], Tensor]) -> Callable[[], None]:
        def run() -> None:
            with torch.set_grad_enabled(training):
                out = logits()
                if training:
                    dense.zero_grad()  # the model is a part of it
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
        device,
    )
    speedup = seconds["dense"] / seconds["ours"]
    ceiling = seconds["dense"] / (seconds["recurrent encoders"] + seconds["floor"])
    kind = "training step" if training else "inference"
    target = "at least 25 x" if workload.name == "iemocap x32" else "at least 60 % of the ceiling"
    return [
        Row(f"MM-DFN {kind}, {workload.name}: against dense", speedup, "x", target, seconds),
        Row("  share of the ceiling", 100 * speedup / ceiling, "%"),
        Row("  ceiling", ceiling, "x"),
    ]


def fusion_against_floor(workload: Workload, repetitions: int, device: str = "cpu") -> list[Row]:
    """Compares graph and fusion, forward and backward, with their matrix products and PyG."""
    build = ConversationGraph()
    fusion = DynamicFusion(CHANNELS, HIDDEN_CHANNELS, workload.num_layers).to(device)
    x, layout = workload.nodes.to(device).requires_grad_(), workload.layout.to(device)
    graph = build(x, layout)
    pyg = PyGFusion(fusion).to(device)
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
            "ours": fusion_step(workload, device=device),
            "floor": floor(fusion, graph, backward=True),
            "PyG edge_index": with_edges,
            "PyG CSR": with_csr,
        },
        repetitions,
        device,
    )
    ours, name = seconds["ours"], workload.name
    csr_ratio, edges_ratio = seconds["PyG CSR"] / ours, seconds["PyG edge_index"] / ours
    return [
        Row(f"fusion, {name}: against the floor", ours / seconds["floor"], "x", "<= 1.3", seconds),
        Row("  PyG edge_index against ours", edges_ratio, "x", ">= 4"),
        Row("  PyG CSR (no edge gradient) against ours", csr_ratio, "x", ">= 1"),
    ]
