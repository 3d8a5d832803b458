"""Recipes of named models: MM-DFN, its ablations, other fusions, and two baselines."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np

from graphfusion.data.labels import LabelSpec
from graphfusion.datasets.corpus import Corpus
from graphfusion.models.baselines import bigru, logistic
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.fusions import FUSIONS, swap_fusion
from graphfusion.models.mmdfn import MMDFN
from graphfusion.models.presets import PRESETS, modality_of
from graphfusion.models.zero_filled import zero_filled
from graphfusion.training.settings import Settings

# The arguments of MM-DFN that each ablation changes.
ABLATIONS: dict[str, dict[str, Any]] = {
    "mmdfn": {},
    "static": {"gated": False},
    # Each node is connected only to itself.
    "no_graph": {"past": 0, "future": 0, "cross_weight": 0.0},
    "no_speaker": {"speaker_weights": 0},
    "zero_filled": {},  # the encoder and the graph get no mask of missing modalities
}
BASELINES: dict[str, Callable[..., ConversationModel]] = {"bigru": bigru, "logistic": logistic}
# The training settings of the baselines, for any preset.
_BASELINE_TRAINING = {
    "bigru": {"lr": 2e-3, "weight_decay": 1e-4, "gamma": 0.0, "class_weights": 0.0},
    "logistic": {"lr": 3e-3, "weight_decay": 1e-5, "gamma": 0.0, "class_weights": 0.0},
}
MODELS = (*ABLATIONS, *FUSIONS, *BASELINES)

_TRAINING = {each.name for each in fields(Settings)}
_SET_BY_CORPUS = {"in_channels", "num_classes", "class_names", "task"}


@dataclass(frozen=True)
class Recipe:
    """A named model with its training settings, for any corpus.

    Args:
        model: One of `MODELS`.
        preset: The preset of the settings. Of the preset, a baseline takes only `sentiment`: it has
            training settings of its own.
        changes: Settings that replace the preset's: fields of :class:`Settings` or arguments of
            :class:`MMDFN`. A baseline ignores arguments of MM-DFN that it does not have, and an
            ablation those that it sets itself.

    Raises:
        TypeError: If a setting has the wrong type.
        ValueError: If the model, the preset or a setting does not exist, or a value is out of
            range.
    """

    model: str = "mmdfn"
    preset: str = "iemocap"
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"model must be one of {list(MODELS)}, but got {self.model!r}.")
        plain = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in self.changes.items()
        }
        object.__setattr__(self, "changes", plain)  # which JSON has; frozen
        model_arguments = _parameters(MMDFN)
        if unknown := sorted(self.changes.keys() - _TRAINING - model_arguments):
            near = get_close_matches(unknown[0], [*_TRAINING, *model_arguments], 1)
            raise ValueError(
                f"settings must be of training ({', '.join(sorted(_TRAINING))}) or of MM-DFN "
                f"({', '.join(sorted(model_arguments))}), but got {', '.join(unknown)}"
                + (f"; did you mean {near[0]}?" if near else ".")
            )
        self.settings  # noqa: B018 - checks them and the preset

    @cached_property
    def settings(self) -> Settings:
        """The training settings."""
        changes = {name: self.changes[name] for name in self.changes.keys() & _TRAINING}
        if self.model in BASELINES:
            kept = {"sentiment": Settings.from_preset(self.preset).sentiment}
            return Settings(**{**_BASELINE_TRAINING[self.model], **kept, **changes})
        return Settings.from_preset(self.preset, **changes)

    def build(self, corpus: Corpus) -> ConversationModel:
        """Builds the untrained model for the modalities and classes of a corpus.

        Raises:
            TypeError: If an argument of the model has the wrong type.
            ValueError: If an argument is out of range.
        """
        return self.build_for(corpus.in_channels, corpus.classes, corpus.task)

    def build_for(
        self, in_channels: Mapping[str, int], classes: Sequence[str], task: str | None = None
    ) -> ConversationModel:
        """Builds the untrained model for the given modalities and classes.

        Args:
            in_channels: `{modality: size}`.
            classes: The names of the classes; empty for regression.
            task: "classification", "multilabel" or "regression"; None: classification, or
                regression if there are no classes.
        """
        names = list(classes) or ["score"]
        task = task or LabelSpec.of(classes, None).task
        labels: dict[str, Any] = {"class_names": names, "task": task}
        size = len(names)
        changes = {name: self.changes[name] for name in self.changes.keys() - _TRAINING}
        if self.model in BASELINES:
            make = BASELINES[self.model]
            given = {name: changes[name] for name in changes.keys() & _parameters(make)}
            return make(in_channels, size, **given, **labels)
        changes |= ABLATIONS.get(self.model, {})
        arguments = _named_weights(self.preset, in_channels, changes) | labels
        model = MMDFN.from_preset(self.preset, in_channels, size, **arguments)
        if self.model in FUSIONS:
            return swap_fusion(model, self.model)
        return zero_filled(model) if self.model == "zero_filled" else model


def _parameters(make: Any) -> set[str]:
    """Names of the arguments that the corpus does not determine."""
    return set(inspect.signature(make).parameters) - _SET_BY_CORPUS


def _named_weights(
    preset: str, in_channels: Mapping[str, int], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Adds a speaker weight for each modality to the changes: the preset's, or else 1.

    If no modality is known to the presets, all get a context encoder.
    """
    known = {name: modality_of(name) for name in in_channels}
    if not any(known.values()):
        changes = {"context": list(in_channels)} | dict(changes)
    published = PRESETS[preset].model["speaker_weights"]
    weights = {name: published.get(kind, 1.0) for name, kind in known.items()}
    given = changes.get("speaker_weights", weights)
    if given == 0:
        given = dict.fromkeys(in_channels, 0)
    if isinstance(given, Mapping):  # else the model refuses it
        given = dict.fromkeys(in_channels, 1.0) | dict(given)
    return dict(changes) | {"speaker_weights": given}
