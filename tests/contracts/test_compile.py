"""Graph, fusion and single parts under `torch.compile` and `torch.export`."""

import io
import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from graphfusion import (
    BatchLayout,
    ConversationGraph,
    DynamicFusion,
    MultimodalGraph,
    UtteranceClassifier,
    speaker_normalize,
)
from tests._versions import needs_torch

# No size here is one of the channels: the compiler takes equal sizes for the same size.
LENGTHS = [(14, 17, 12), (13, 19), (15, 15, 16, 12), (22, 13)]
# Tracing PyTorch's own code warns.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


SLOW = pytest.mark.slow


def inputs(lengths: tuple[int, ...], masked: bool) -> tuple[Tensor, BatchLayout]:
    present = torch.rand(sum(lengths), 2) < 0.7 if masked else None
    size = sum(lengths)
    ptr, speaker = torch.tensor([0, *lengths]).cumsum(0), torch.arange(size) % 3
    layout = BatchLayout(ptr, speaker, present)
    return torch.randn(sum(lengths), 2, 11), layout


def assert_compiles_whole_and_once(function: Callable[..., Tensor], masked: bool) -> None:
    torch.compiler.reset()
    compiled = []

    def backend(module: torch.fx.GraphModule, _: list[Tensor]) -> object:
        compiled.append(module)
        return module.forward

    fast = torch.compile(function, backend=backend, fullgraph=True, dynamic=True)
    for lengths in LENGTHS:
        x, layout = inputs(lengths, masked)
        torch.testing.assert_close(fast(x, layout), function(x, layout))
    assert len(compiled) == 1


# The whole model has the gated ones in it, and is compiled more often.
@needs_torch("2.13", "the compiler over a whole model")
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("past", [None, 1])
@pytest.mark.parametrize(
    "gated",
    [pytest.param(True, marks=pytest.mark.nightly), pytest.param(False, marks=SLOW)],
)
def test_graph_and_fusion_compile_whole_and_once(
    gated: bool, past: int | None, masked: bool
) -> None:
    build = ConversationGraph(past=past)
    fusion = DynamicFusion(11, 7, 2, gated=gated)

    def stack(x: Tensor, layout: BatchLayout) -> Tensor:
        graph = build(x, layout)
        return graph.impute(fusion(x, graph))

    assert_compiles_whole_and_once(stack, masked)


@pytest.mark.parametrize("masked", [False, True])
def test_speaker_normalisation_compiles_whole_and_once(masked: bool) -> None:
    def normalize(x: Tensor, layout: BatchLayout) -> Tensor:
        return speaker_normalize(x[:, 1], layout, 1)

    assert_compiles_whole_and_once(normalize, masked)


def test_the_utterance_classifier_compiles_whole_and_once() -> None:
    classifier = UtteranceClassifier({"text": 11}, 7, 3).eval()

    def classify(x: Tensor, _: BatchLayout) -> Tensor:
        return classifier({"text": x[:, 0]}, x[:, 1, :3])

    assert_compiles_whole_and_once(classify, masked=False)


@pytest.mark.filterwarnings("ignore:The given buffer is not writable")  # PyTorch 2.11's own reader
@needs_torch("2.13", "the compiler over a whole model")
@pytest.mark.parametrize(
    ("masked", "num_layers"),
    [(True, 1), pytest.param(True, 2, marks=SLOW), pytest.param(False, 2, marks=SLOW)],
)
def test_exports(masked: bool, num_layers: int, caplog: pytest.LogCaptureFixture) -> None:
    class Stack(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fusion = DynamicFusion(11, 7, num_layers)

        def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
            return self.fusion(x, graph)

    def example(lengths: tuple[int, ...]) -> tuple[Tensor, MultimodalGraph]:
        x, layout = inputs(lengths, masked)
        return x, ConversationGraph()(x, layout)

    stack = Stack()
    others = torch.export.AdditionalInputs()
    for lengths in LENGTHS[1:]:
        others.add(example(lengths))
    program = torch.export.export(stack, example(LENGTHS[0]), dynamic_shapes=others)
    # It logs a message with an argument too few when it loads what is no tensor (torch 2.13).
    caplog.set_level(logging.ERROR, "torch._export.serde.serialize")
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    for lengths in LENGTHS:
        arguments = example(lengths)
        torch.testing.assert_close(loaded(*arguments), stack(*arguments))
