"""The models that are compared: MM-DFN, what is left of it without a part, and two baselines."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from experiment.recipes import ABLATIONS
from graphfusion import (
    MMDFN,
    BatchLayout,
    ContextEncoder,
    Standardize,
    UtteranceClassifier,
    speaker_normalize,
)
from graphfusion._utils.checks import check_known, check_size, unique_names


class Joined(torch.nn.Module, ABC):
    """What both baselines begin with, standardised modalities, and may have besides, as MM-DFN."""

    def __init__(
        self,
        in_channels: Mapping[str, int],
        num_classes: int,
        speaker_normalized: Sequence[str] = (),
        utterance_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.standardize = Standardize(in_channels)
        self.speaker_normalized = unique_names("speaker_normalized", speaker_normalized)
        check_known("speaker_normalized", self.speaker_normalized, in_channels)
        self.sizes = [
            size * (1 + (name in self.speaker_normalized)) for name, size in in_channels.items()
        ]
        self.expert: UtteranceClassifier | None = None
        if utterance_channels is not None:
            check_size("utterance_channels", utterance_channels)
            self.expert = UtteranceClassifier(
                sum(in_channels.values()), utterance_channels, num_classes
            )

    def forward(
        self, features: Mapping[str, Tensor], speaker: Tensor, ptr: Tensor, present: Tensor
    ) -> Tensor:
        """Returns logits `[U, K]`."""
        here = zip(self.standardize(features).items(), present.unsqueeze(2).unbind(1), strict=True)
        prepared = {name: x.where(each, 0) for (name, x), each in here}
        parts = list(prepared.values())
        if self.speaker_normalized:
            layout = BatchLayout(ptr, speaker, present)
            for m, (name, x) in enumerate(prepared.items()):
                if name in self.speaker_normalized:
                    parts[m] = torch.cat([x, speaker_normalize(x, layout, m)], 1)
        logits = self.score(parts, ptr)
        if self.expert is not None:
            logits = self.expert(torch.cat(list(prepared.values()), 1), logits)
        return logits

    @abstractmethod
    def score(self, parts: list[Tensor], ptr: Tensor) -> Tensor:
        """Returns logits `[U, K]` from each modality, `[U, size]`, zeros where it is absent."""


class ZeroFilled(MMDFN):
    """MM-DFN by the usual habit: absent modalities are zeros, and nobody tells it which they are.

    They are zeros once standardised, that is, the mean of the training conversations.
    """

    def forward(
        self,
        features: Mapping[str, Tensor],
        speaker: Tensor | BatchLayout | None,
        ptr: Tensor | BatchLayout | None = None,
        present: Tensor | None = None,
        return_gates: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Returns logits `[U, K]`."""
        if present is not None:
            means = self.standardize.mean.split(list(self.in_channels.values()))
            features = {
                name: features[name].where(here.unsqueeze(1), mean)
                for name, mean, here in zip(self.in_channels, means, present.unbind(1), strict=True)
            }
        return super().forward(features, speaker, ptr, return_gates=return_gates)


class LogisticRegression(Joined):
    """A linear map of single utterances: no context."""

    def __init__(self, in_channels: Mapping[str, int], num_classes: int, **joined: Any) -> None:
        super().__init__(in_channels, num_classes, **joined)
        self.classifier = torch.nn.Linear(sum(self.sizes), num_classes)

    def score(self, parts: list[Tensor], ptr: Tensor) -> Tensor:
        """Returns logits `[U, K]`."""
        del ptr
        logits: Tensor = self.classifier(torch.cat(parts, 1))
        return logits


class BiGRU(Joined):
    """A bidirectional GRU over the joined, layer-normalised modalities: no graph."""

    def __init__(
        self,
        in_channels: Mapping[str, int],
        num_classes: int,
        hidden_channels: int = 128,
        dropout: float = 0.4,
        **joined: Any,
    ) -> None:
        super().__init__(in_channels, num_classes, **joined)
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(size) for size in self.sizes)
        self.encoder = ContextEncoder(sum(self.sizes), hidden_channels, dropout=dropout)
        self.dropout = torch.nn.Dropout(dropout)
        self.classifier = torch.nn.Linear(2 * hidden_channels, num_classes)

    def score(self, parts: list[Tensor], ptr: Tensor) -> Tensor:
        """Returns logits `[U, K]`."""
        x = torch.cat([norm(part) for norm, part in zip(self.norms, parts, strict=True)], 1)
        logits: Tensor = self.classifier(self.dropout(self.encoder(self.dropout(x), ptr)))
        return logits


def make_model(
    name: str,
    preset: str,
    in_channels: Mapping[str, int],
    classes: Sequence[str],
    settings: Mapping[str, Any],
) -> torch.nn.Module:
    """The model of that name.

    Raises:
        TypeError: If a setting is none of its arguments.
        ValueError: If a setting is not one that it takes.
    """
    if name == "bigru":
        return BiGRU(in_channels, len(classes), **settings)
    if name == "logistic":
        return LogisticRegression(in_channels, len(classes), **settings)
    if name not in ABLATIONS:
        raise ValueError(f"model must be one of {list(ABLATIONS)} or a baseline, but got {name!r}.")
    settings = dict(settings)
    if settings.get("speaker_weights") == 0:
        settings["speaker_weights"] = dict.fromkeys(in_channels, 0)
    settings["class_names"] = list(classes)
    kind = ZeroFilled if name == "zero_filled" else MMDFN
    try:
        return kind.from_preset(preset, in_channels, len(classes), **settings)
    except ValueError:
        # The preset knows none of these modalities, so they are all treated alike.
        alike = {"context": list(in_channels), "speaker_weights": {}}
        return kind.from_preset(preset, in_channels, len(classes), **(alike | settings))
