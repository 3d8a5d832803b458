"""The models that are compared, each made of parts: MM-DFN, its ablations, and two baselines."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from experiment.recipes import ABLATIONS
from graphfusion import (
    MMDFN,
    BatchLayout,
    ContextEncoder,
    ConversationGraph,
    ConversationModel,
    MultimodalGraph,
    Standardize,
    UtteranceClassifier,
    UtteranceEncoder,
    speaker_normalize,
)
from graphfusion._utils.checks import check_known, check_size, unique_names
from graphfusion.data.masking import select
from graphfusion.data.standardize import Standardized
from graphfusion.models.presets import PRESETS, modality_of


class Concatenation(torch.nn.Module):
    """The encoder of a baseline: all modalities side by side, as the one node of an utterance."""

    def __init__(self, in_channels: Mapping[str, int], speaker_normalized: Sequence[str]) -> None:
        super().__init__()
        names = unique_names("speaker_normalized", speaker_normalized)
        check_known("speaker_normalized", names, in_channels)
        self.in_channels = dict(in_channels)
        self.standardize = Standardize(in_channels)
        self.speaker_normalized = names
        self.sizes = [size * (1 + (name in names)) for name, size in in_channels.items()]
        self.out_channels = sum(self.sizes)

    def forward(self, features: Mapping[str, Tensor], layout: BatchLayout) -> Tensor:
        """Returns node vectors `[U, 1, D]`."""
        return torch.cat(self.parts(features, layout), 1).unsqueeze(1)

    def parts(self, features: Mapping[str, Tensor], layout: BatchLayout) -> list[Tensor]:
        """Each modality, `[U, size]`, standardised, zeros where it is absent."""
        if not isinstance(features, Standardized):
            features = self.standardize(features)
        parts = []
        for m, name in enumerate(self.in_channels):
            x = select(features[name], layout, m)
            if name in self.speaker_normalized:
                x = torch.cat([x, speaker_normalize(x, layout, m)], 1)
            parts.append(x)
        return parts


class ConcatenationGRU(Concatenation):
    """The same through a bidirectional GRU over the conversation, each modality normalised."""

    def __init__(
        self,
        in_channels: Mapping[str, int],
        speaker_normalized: Sequence[str],
        hidden_channels: int = 128,
        dropout: float = 0.4,
    ) -> None:
        super().__init__(in_channels, speaker_normalized)
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(size) for size in self.sizes)
        self.context = ContextEncoder(sum(self.sizes), hidden_channels, dropout=dropout)
        self.dropout = torch.nn.Dropout(dropout)
        self.out_channels = 2 * hidden_channels

    def forward(self, features: Mapping[str, Tensor], layout: BatchLayout) -> Tensor:
        """Returns node vectors `[U, 1, 2H]`."""
        parts = zip(self.norms, self.parts(features, layout), strict=True)
        x = self.dropout(torch.cat([norm(part) for norm, part in parts], 1))
        out: Tensor = self.dropout(self.context(x, layout.ptr))
        return out.unsqueeze(1)


class NoGraph(torch.nn.Module):
    """A graph in which no node receives anything: the node vectors pass as they are."""

    def forward(self, x: Tensor, layout: BatchLayout) -> Self:
        """Returns itself, a graph of any nodes."""
        del x, layout
        return self

    def propagate(self, x: Tensor) -> Tensor:
        """Returns x."""
        return x

    def impute(self, x: Tensor) -> Tensor:
        """Returns x."""
        return x


class NoFusion(torch.nn.Module):
    """A fusion that passes the node vectors as they are."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_channels = self.out_channels = channels

    def forward(self, x: Tensor, graph: NoGraph) -> Tensor:
        """Returns x."""
        del graph
        return x


class LinearHead(torch.nn.Module):
    """A linear map of an utterance's one node, averaged with an utterance classifier if any."""

    def __init__(
        self, in_channels: int, num_classes: int, utterance: UtteranceClassifier | None
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, num_classes
        self.linear = torch.nn.Linear(in_channels, num_classes)
        self.utterance_classifier = utterance

    def forward(self, x: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        """Returns logits `[U, K]`."""
        logits: Tensor = self.linear(x.squeeze(1))
        if self.utterance_classifier is not None:
            logits = self.utterance_classifier(features, logits)
        return logits


class ZeroFilledEncoder(UtteranceEncoder):
    """An encoder that takes absent modalities for zeros once standardised: for their mean."""

    @classmethod
    def of(cls, encoder: UtteranceEncoder) -> Self:
        """The same encoder, weights and all."""
        part = cls.__new__(cls)
        part.__dict__ |= encoder.__dict__
        return part

    def forward(self, features: Mapping[str, Tensor], layout: Tensor | BatchLayout) -> Tensor:
        """Returns node vectors `[U, M, D]`."""
        if not isinstance(layout, BatchLayout):
            return super().forward(features, layout)
        layout = layout.align(self.modalities)
        if not isinstance(features, Standardized):
            features = self.standardize(features)
        filled = {name: select(features[name], layout, m) for m, name in enumerate(self.modalities)}
        return super().forward(Standardized(filled), BatchLayout(layout.ptr, layout.speaker))


class ZeroFilledGraph(ConversationGraph):
    """A graph in which nothing is absent."""

    def forward(self, x: Tensor, ptr: Tensor | BatchLayout) -> MultimodalGraph:
        """Builds the graph."""
        layout = BatchLayout(ptr.ptr, ptr.speaker) if isinstance(ptr, BatchLayout) else ptr
        return super().forward(x, layout)


def baseline(
    name: str,
    in_channels: Mapping[str, int],
    classes: Sequence[str],
    speaker_normalized: Sequence[str] = (),
    utterance_channels: int | None = None,
    **encoder: Any,
) -> ConversationModel:
    """A bidirectional GRU over conversations ("bigru"), or a linear map of utterances."""
    utterance = None
    if utterance_channels is not None:
        check_size("utterance_channels", utterance_channels)
        utterance = UtteranceClassifier(in_channels, utterance_channels, len(classes))
    kind = ConcatenationGRU if name == "bigru" else Concatenation
    part = kind(in_channels, speaker_normalized, **encoder)
    head = LinearHead(part.out_channels, len(classes), utterance)
    return ConversationModel(part, NoGraph(), NoFusion(part.out_channels), head, classes)


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
    if name in ("bigru", "logistic"):
        return baseline(name, in_channels, classes, **settings)
    if name not in ABLATIONS:
        raise ValueError(f"model must be one of {list(ABLATIONS)} or a baseline, but got {name!r}.")
    settings = {**_weights_for_all(preset, in_channels), **settings}
    if settings["speaker_weights"] == 0:
        settings["speaker_weights"] = dict.fromkeys(in_channels, 0)
    model = MMDFN.from_preset(preset, in_channels, len(classes), class_names=classes, **settings)
    if name != "zero_filled":
        return model
    graph = ZeroFilledGraph(model.graph.past, model.graph.future, model.graph.cross_weight)
    encoder = ZeroFilledEncoder.of(model.encoder)
    return ConversationModel(encoder, graph, model.fusion, model.head, classes)


def _weights_for_all(preset: str, in_channels: Mapping[str, int]) -> dict[str, Any]:
    """The preset's speaker weights, and 1 for modalities that it does not know.

    Where it knows none of them, they are all treated alike.
    """
    weights = PRESETS[preset]["speaker_weights"] if preset in PRESETS else {}
    known = {name: weights.get(modality_of(name), 1.0) for name in in_channels}
    if any(modality_of(name) for name in in_channels):
        return {"speaker_weights": known}
    return {"speaker_weights": known, "context": list(in_channels)}
