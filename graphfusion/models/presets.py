"""Presets: settings of MM-DFN and of its training, published and ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """A model and its training.

    Args:
        model: Arguments of `MMDFN`.
        training: Arguments of :class:`graphfusion.training.Settings`.
    """

    model: Mapping[str, Any]
    training: Mapping[str, Any]

    def change(self, model: Mapping[str, Any], training: Mapping[str, Any]) -> "Preset":
        """The same but for these."""
        return Preset({**self.model, **model}, {**self.training, **training})


# As published (MM-DFN, section on experiments): the first values of those that were tuned over.
PRESETS = {
    "iemocap": Preset(
        {
            "speaker_weights": {"audio": 3.0, "visual": 0.0, "text": 1.0},
            "context": ("text",),
            "num_layers": 16,
            "dropout": 0.4,
        },
        {"lr": 3e-4, "weight_decay": 1e-4, "gamma": 0.5, "class_weights": 1.0},
    ),
    "meld": Preset(
        {
            "speaker_weights": {"audio": 0.5, "visual": 0.5, "text": 1.5},
            "context": ("text",),
            "num_layers": 16,
            "dropout": 0.2,
        },
        {"lr": 5e-4, "weight_decay": 1e-4, "gamma": 0.5, "class_weights": 0.0},
    ),
}
# Ours, chosen by cross-validation.
PRESETS["iemocap_speaker_normalized"] = PRESETS["iemocap"].change(
    {"speaker_normalized": ("audio",)}, {"batch_size": 8, "average": 0.97}
)
# What brought most where whole sessions are held out is less overfitting.
PRESETS["iemocap_regularized"] = PRESETS["iemocap_speaker_normalized"].change(
    {"num_layers": 4}, {"lr": 1e-3, "drop_features": 0.2, "modality_dropout": 0.15}
)
PRESETS["meld_regularized"] = PRESETS["meld"].change(
    {"num_layers": 4, "utterance_channels": 1000},
    {"class_weights": 0.25, "average": 0.98, "drop_features": 0.5},
)
# Scores of sentiment are regression first. The settings are IEMOCAP's: none were published.
PRESETS["mosi"] = PRESETS["iemocap"].change({"task": "regression"}, {"sentiment": True})

# What data sets and tools call the three modalities of the paper (MMSA and CMU-MultimodalSDK, say).
ALIASES = {
    "audio": "audio",
    "acoustic": "audio",
    "speech": "audio",
    "visual": "visual",
    "vision": "visual",
    "video": "visual",
    "text": "text",
    "language": "text",
}


def modality_of(name: str) -> str | None:
    """The paper's name for a modality named by an alias, or by one and an underscore."""
    return ALIASES.get(name.lower(), ALIASES.get(name.lower().partition("_")[0]))


def arguments(
    preset: str, in_channels: Mapping[str, int], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Merges a preset's arguments of an `MMDFN` with given ones, for these modalities.

    Raises:
        ValueError: If there is no such preset, or a modality is neither the paper's nor given a
            speaker weight.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {sorted(PRESETS)}, but got {preset!r}.")
    settings = dict(PRESETS[preset].model)
    weights = given.get("speaker_weights")
    named = weights if isinstance(weights, Mapping) else {}
    known = {name: published for name in in_channels if (published := modality_of(name))}
    if unknown := [name for name in in_channels if name not in known and name not in named]:
        raise ValueError(
            f"in_channels must name modalities of the preset, {list(ALIASES)} (or such a "
            "name and an underscore), or speaker_weights must name them, but got "
            f"{unknown}: pass speaker_weights={{name: weight}} with a weight for each modality."
        )
    for key in ("context", "speaker_normalized"):
        chosen = settings.get(key, ())
        settings[key] = [name for name, published in known.items() if published in chosen]
    published_weights = settings["speaker_weights"]
    settings["speaker_weights"] = {
        name: published_weights[published] for name, published in known.items()
    }
    return {**settings, **given}
