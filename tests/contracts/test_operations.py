"""What can be known of a GPU without one: nothing is read back, and how many operations there are.

`tests/operations.py` counts. What cuDNN does inside a recurrent encoder is not covered. Kernels are
counted in `test_launches.py`.
"""

from collections import Counter
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from graphfusion import (
    MMDFN,
    BatchLayout,
    Classifier,
    ContextEncoder,
    ConversationGraph,
    DynamicFusion,
    ModalityEmbedding,
    SpeakerEmbedding,
    SpeakerEncoder,
    Standardize,
    UtteranceClassifier,
    UtteranceEncoder,
    angular_similarity,
    focal_loss,
    modality_dropout,
    speaker_normalize,
    task_loss,
)
from tests.operations import Operations, without_recurrence

SIZES = {"text": 6, "audio": 7}
OPTIONS: dict[str, dict[str, Any]] = {
    "as published": {"context": ["text"]},
    "window": {"past": 2, "future": 1},
    "without gate": {"gated": False, "concat": False},
    "no speakers": {"speaker_weights": dict.fromkeys(SIZES, 0.0)},
    "ours": {"speaker_normalized": ["audio"], "utterance_channels": 4},
    "causal": {"causal": True, "past": 3},
    "checkpoint": {"checkpoint": True},
}
# Those whose recurrent encoders differ; the others have the encoders "as published" has.
RECURRENT = ("as published", "causal")


def batch(
    lengths: tuple[int, ...], masked: bool, num_speakers: int = 2
) -> tuple[dict[str, Tensor], BatchLayout]:
    """Features on the meta device, and a layout made beforehand."""
    size = sum(lengths)
    masks = {"text": torch.arange(size) % 4 > 0, "audio": torch.arange(size) % 3 > 0}
    # In another order than the model's.
    present = dict(reversed(masks.items())) if masked else None
    ptr = torch.tensor([0, *lengths]).cumsum(0)
    layout = BatchLayout(ptr, torch.arange(size) % num_speakers, present).to("meta")
    return {name: torch.empty(size, d, device="meta") for name, d in SIZES.items()}, layout


def train(model: MMDFN, lengths: tuple[int, ...], masked: bool, speakers: int = 2) -> Counter[str]:
    """The operations of a training step, forward and backward."""
    features, layout = batch(lengths, masked, speakers)
    y = torch.zeros(sum(lengths), dtype=torch.int64, device="meta")
    with Operations() as operations:
        loss = focal_loss(model(features, layout), y)
        torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return operations.counts


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("option", OPTIONS)
def test_a_training_step_reads_no_value_back(
    option: str, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if option not in RECURRENT:
        without_recurrence(monkeypatch)
    model = MMDFN(SIZES, 3, channels=4, hidden_channels=3, num_layers=2, **OPTIONS[option])
    assert train(model.to("meta").train(), (2, 3), masked)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("option", ["as published", "ours"])
def test_operations_do_not_grow_with_the_batch(
    option: str, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither with its size, nor with its lengths, nor with the number of speakers."""
    without_recurrence(monkeypatch)
    model = MMDFN(SIZES, 3, channels=4, hidden_channels=3, num_layers=2, **OPTIONS[option])
    model = model.to("meta").train()
    expected = train(model, (3, 5), masked)
    for lengths, speakers in (((40, 30, 9), 2), ((4,) * 50, 2), ((3, 5), 7), ((6, 60, 60), 1)):
        assert train(model, lengths, masked, speakers) == expected


def test_layers_cost_as_many_operations_each(monkeypatch: pytest.MonkeyPatch) -> None:
    without_recurrence(monkeypatch)
    counts = []
    for num_layers in (2, 3, 4):
        model = MMDFN(SIZES, 3, channels=4, hidden_channels=3, num_layers=num_layers).to("meta")
        counts.append(sum(train(model, (3, 5), masked=True).values()))
    assert counts[1] - counts[0] == counts[2] - counts[1]


@pytest.mark.parametrize("masked", [False, True])
def test_every_module_by_itself(masked: bool) -> None:
    features, layout = batch((2, 3), masked)
    x = torch.empty(5, 2, 4, device="meta", requires_grad=True)
    graph, modality = ConversationGraph(past=2), "audio" if masked else None
    with torch.device("meta"):
        calls = [
            partial(ContextEncoder(4, 3), x[:, 0], layout, modality),
            partial(SpeakerEncoder(4, 3), x, layout),
            partial(UtteranceEncoder(SIZES, 4), features, layout),
            partial(SpeakerEmbedding(3, 4), x, layout.speaker),
            partial(ModalityEmbedding(2, 4), x),
            lambda: speaker_normalize(x[:, 0], layout, modality),
            lambda: angular_similarity(x[:, 0], x[:, 1]),
            lambda: graph(x, layout).propagate(x),
            lambda: graph(x, layout).impute(x),
            partial(DynamicFusion(4, 3, 2), x, graph(x, layout)),
            partial(Classifier(list(SIZES), 4, 3), x),
            partial(UtteranceClassifier(SIZES, 4, 3), features, x[:, 0, :3]),
        ]
    for call in calls:
        with Operations(), torch.device("meta"):
            out = call()
            if out.requires_grad:
                out.sum().backward()
    standardize = Standardize(SIZES).to("meta")
    with Operations():
        standardize(features)
        modality_dropout({"text": torch.empty(8, dtype=torch.bool, device="meta")}, 0.5)
        scores = torch.empty(8, 1, device="meta")
        task_loss(scores, scores, task="regression")
