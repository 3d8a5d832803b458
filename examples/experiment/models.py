"""The models that are compared: MM-DFN, what is left of it without a part, and two baselines.

Each is a `ConversationModel`, and they differ in their parts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from experiment.recipes import ABLATIONS
from graphfusion import (
    MMDFN,
    BatchLayout,
    ContextEncoder,
    ConversationModel,
    Standardize,
    UtteranceClassifier,
    speaker_normalize,
)
from graphfusion._utils.checks import check_known, check_size, unique_names
from graphfusion.models.presets import PRESETS, modality_of


class JoinedEncoder(torch.nn.Module):
    """Joins the standardised modalities of each utterance in one node, zeros where absent."""

    def __init__(
        self, in_channels: Mapping[str, int], speaker_normalized: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.in_channels = dict(in_channels)
        self.standardize = Standardize(in_channels)
        self.speaker_normalized = unique_names("speaker_normalized", speaker_normalized)
        check_known("speaker_normalized", self.speaker_normalized, in_channels)
        self.sizes = {
            name: size * (1 + (name in self.speaker_normalized))
            for name, size in in_channels.items()
        }
        self.out_channels = sum(self.sizes.values())

    def join(self, features: Mapping[str, Tensor], layout: BatchLayout) -> list[Tensor]:
        """Each modality `[U, size]`, with its difference from the speaker's mean if it has one."""
        return [
            torch.cat([features[name], speaker_normalize(features[name], layout, name)], 1)
            if name in self.speaker_normalized
            else features[name]
            for name in self.sizes
        ]

    def forward(self, features: Mapping[str, Tensor], layout: BatchLayout) -> Tensor:
        """Returns nodes `[U, 1, D]`."""
        return torch.cat(self.join(features, layout), 1).unsqueeze(1)


class GRUEncoder(JoinedEncoder):
    """A bidirectional GRU over the joined, layer-normalised modalities."""

    def __init__(
        self,
        in_channels: Mapping[str, int],
        hidden_channels: int,
        dropout: float,
        speaker_normalized: Sequence[str] = (),
    ) -> None:
        super().__init__(in_channels, speaker_normalized)
        self.norms = torch.nn.ModuleList(map(torch.nn.LayerNorm, self.sizes.values()))
        self.context = ContextEncoder(self.out_channels, hidden_channels, dropout=dropout)
        self.dropout = torch.nn.Dropout(dropout)
        self.out_channels = 2 * hidden_channels

    def forward(self, features: Mapping[str, Tensor], layout: BatchLayout) -> Tensor:
        """Returns nodes `[U, 1, D]`."""
        parts = zip(self.norms, self.join(features, layout), strict=True)
        x = torch.cat([norm(part) for norm, part in parts], 1)
        # Of the bare ptr, for an utterance that lacks a modality is not skipped.
        encoded: Tensor = self.context(self.dropout(x), layout.ptr)
        return encoded.unsqueeze(1)


class NoGraph(torch.nn.Module):
    """Builds a graph without edges, itself: every node keeps its own vector."""

    def forward(self, x: Tensor, layout: BatchLayout) -> Self:
        """Returns the graph."""
        del x, layout
        return self

    def propagate(self, x: Tensor) -> Tensor:
        """Returns x."""
        return x

    def impute(self, x: Tensor) -> Tensor:
        """Returns x."""
        return x


class NoFusion(torch.nn.Module):
    """Passes nodes on as they are."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_channels = self.out_channels = channels

    def forward(self, x: Tensor, graph: NoGraph) -> Tensor:
        """Returns x."""
        del graph
        return x


class LinearHead(torch.nn.Module):
    """A linear classifier of single nodes, perhaps averaged with an utterance classifier."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        dropout: float = 0.0,
        utterance_classifier: UtteranceClassifier | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = num_classes
        self.dropout = torch.nn.Dropout(dropout)
        self.linear = torch.nn.Linear(in_channels, num_classes)
        self.utterance_classifier = utterance_classifier

    def forward(self, x: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        """Returns logits `[U, K]`."""
        logits: Tensor = self.linear(self.dropout(x.squeeze(1)))
        if self.utterance_classifier is not None:
            logits = self.utterance_classifier(features, logits)
        return logits


class Unmasked(torch.nn.Module):
    """An encoder or a graph builder that is not told what is absent: it sees zeros there."""

    def __init__(self, part: torch.nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Any, layout: BatchLayout) -> Any:
        """Returns what the part makes of the batch without its mask."""
        return self.part(x, BatchLayout(layout.ptr, layout.speaker).screened())


class UnmaskedEncoder(Unmasked):
    """The same, with what a model asks of its encoder."""

    @property
    def in_channels(self) -> Mapping[str, int]:
        """`{modality: d_m}`."""
        return self.part.in_channels  # type: ignore[return-value]

    @property
    def out_channels(self) -> int:
        """D."""
        return self.part.out_channels  # type: ignore[return-value]

    @property
    def standardize(self) -> Standardize:
        """The encoder's."""
        return self.part.standardize  # type: ignore[return-value]


def zero_filled(model: ConversationModel) -> ConversationModel:
    """The model by the usual habit, of the same weights: absent modalities are zeros to it.

    They are zeros once standardised, that is, the mean of the training conversations.
    """
    return ConversationModel(
        UnmaskedEncoder(model.encoder),
        Unmasked(model.graph),
        model.fusion,
        model.head,
        model.class_names,
        model.task,
    )


def make_model(
    name: str,
    preset: str,
    in_channels: Mapping[str, int],
    classes: Sequence[str],
    settings: Mapping[str, Any],
) -> ConversationModel:
    """The model of that name.

    Raises:
        TypeError: If a setting is none of its arguments.
        ValueError: If a setting is not one that it takes.
    """
    if name == "bigru":
        return _bigru(in_channels, classes, **settings)
    if name == "logistic":
        return _logistic(in_channels, classes, **settings)
    if name not in ABLATIONS:
        raise ValueError(f"model must be one of {list(ABLATIONS)} or a baseline, but got {name!r}.")
    settings = _named_weights(preset, in_channels, settings) | {"class_names": list(classes)}
    model = MMDFN.from_preset(preset, in_channels, len(classes), **settings)
    return zero_filled(model) if name == "zero_filled" else model


def _named_weights(
    preset: str, in_channels: Mapping[str, int], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings with a speaker weight for every modality: 1 where the preset does not know it.

    Where it knows none of them, they are all treated alike.
    """
    known = {name: modality_of(name) for name in in_channels}
    if not any(known.values()):
        settings = {"context": list(in_channels)} | dict(settings)
    published = PRESETS[preset]["speaker_weights"]
    weights = {name: published.get(kind, 1.0) for name, kind in known.items()}
    given = settings.get("speaker_weights", weights)
    if given == 0:
        given = dict.fromkeys(in_channels, 0)
    if isinstance(given, Mapping):  # else the model refuses it
        given = dict.fromkeys(in_channels, 1.0) | dict(given)
    return dict(settings) | {"speaker_weights": given}


def _bigru(
    in_channels: Mapping[str, int],
    classes: Sequence[str],
    hidden_channels: int = 128,
    dropout: float = 0.4,
    speaker_normalized: Sequence[str] = (),
    utterance_channels: int | None = None,
) -> ConversationModel:
    """A bidirectional GRU alone: no graph, no fusion."""
    # First, as the numbers of a seed are drawn.
    beside = _utterance_classifier(in_channels, utterance_channels, classes)
    encoder = GRUEncoder(in_channels, hidden_channels, dropout, speaker_normalized)
    return _baseline(encoder, classes, dropout, beside)


def _logistic(
    in_channels: Mapping[str, int],
    classes: Sequence[str],
    speaker_normalized: Sequence[str] = (),
    utterance_channels: int | None = None,
) -> ConversationModel:
    """A linear map of single utterances: no context either."""
    beside = _utterance_classifier(in_channels, utterance_channels, classes)
    return _baseline(JoinedEncoder(in_channels, speaker_normalized), classes, 0.0, beside)


def _baseline(
    encoder: JoinedEncoder,
    classes: Sequence[str],
    dropout: float,
    utterance_classifier: UtteranceClassifier | None,
) -> ConversationModel:
    size = encoder.out_channels
    head = LinearHead(size, len(classes), dropout, utterance_classifier)
    return ConversationModel(encoder, NoGraph(), NoFusion(size), head, class_names=classes)


def _utterance_classifier(
    in_channels: Mapping[str, int], channels: int | None, classes: Sequence[str]
) -> UtteranceClassifier | None:
    if channels is None:
        return None
    check_size("utterance_channels", channels)
    return UtteranceClassifier(in_channels, channels, len(classes))
