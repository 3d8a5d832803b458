"""Baselines without a graph: a recurrent and a linear classifier of joined modalities.

The modalities are joined in the order of their names, so that no other order changes a model.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from graphfusion._utils.checks import check_known, check_size, unique_names
from graphfusion.data.layout import BatchLayout
from graphfusion.data.standardize import Standardize
from graphfusion.encoders.context import ContextEncoder
from graphfusion.encoders.speaker_normalize import speaker_normalize
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.identity import NoFusion, NoGraph
from graphfusion.models.utterance_classifier import UtteranceClassifier


class JoinedEncoder(torch.nn.Module):
    """Concatenates the standardised modalities of each utterance; zeros where absent."""

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
            for name, size in sorted(in_channels.items())
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
    """A bidirectional GRU over the concatenated, layer-normalised modalities."""

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


class LinearHead(torch.nn.Module):
    """A linear classifier of single nodes, optionally averaged with an utterance classifier."""

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


def bigru(
    in_channels: Mapping[str, int],
    num_classes: int,
    hidden_channels: int = 128,
    dropout: float = 0.4,
    speaker_normalized: Sequence[str] = (),
    utterance_channels: int | None = None,
    class_names: Sequence[str] | None = None,
    task: str = "classification",
) -> ConversationModel:
    """Builds a bidirectional GRU over the concatenated modalities: no graph, no fusion."""
    # First: the order of the draws from a seed must not change.
    beside = _utterance_classifier(in_channels, utterance_channels, num_classes)
    encoder = GRUEncoder(in_channels, hidden_channels, dropout, speaker_normalized)
    head = LinearHead(encoder.out_channels, num_classes, dropout, beside)
    return _without_graph(encoder, head, class_names, task)


def logistic(
    in_channels: Mapping[str, int],
    num_classes: int,
    speaker_normalized: Sequence[str] = (),
    utterance_channels: int | None = None,
    class_names: Sequence[str] | None = None,
    task: str = "classification",
) -> ConversationModel:
    """Builds a linear classifier of single utterances, without context."""
    beside = _utterance_classifier(in_channels, utterance_channels, num_classes)
    encoder = JoinedEncoder(in_channels, speaker_normalized)
    head = LinearHead(encoder.out_channels, num_classes, 0.0, beside)
    return _without_graph(encoder, head, class_names, task)


def _without_graph(
    encoder: JoinedEncoder, head: LinearHead, class_names: Sequence[str] | None, task: str
) -> ConversationModel:
    fusion = NoFusion(encoder.out_channels)
    return ConversationModel(encoder, NoGraph(), fusion, head, class_names, task)


def _utterance_classifier(
    in_channels: Mapping[str, int], channels: int | None, num_classes: int
) -> UtteranceClassifier | None:
    if channels is None:
        return None
    check_size("utterance_channels", channels)
    return UtteranceClassifier(dict(sorted(in_channels.items())), channels, num_classes)
