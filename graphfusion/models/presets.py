"""Settings of MM-DFN, published and ours, fitted to the modalities that a model has."""

from collections.abc import Mapping
from typing import Any

# As published: the first values of those that were tuned over.
PRESETS: dict[str, dict[str, Any]] = {
    "iemocap": {
        "speaker_weights": {"audio": 3.0, "visual": 0.0, "text": 1.0},
        "context": ("text",),
        "num_layers": 16,
        "dropout": 0.4,
    },
    "meld": {
        "speaker_weights": {"audio": 0.5, "visual": 0.5, "text": 1.5},
        "context": ("text",),
        "num_layers": 16,
        "dropout": 0.2,
    },
}
# Ours, chosen by cross-validation.
PRESETS["iemocap_tuned"] = PRESETS["iemocap"] | {"speaker_normalized": ("audio",)}
PRESETS["meld_tuned"] = PRESETS["meld"] | {"num_layers": 4, "utterance_channels": 1000}

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
    """The paper's name for a modality, by its own or an alias, alone or before an underscore."""
    return ALIASES.get(name.lower(), ALIASES.get(name.lower().partition("_")[0]))


def arguments(
    preset: str, in_channels: Mapping[str, int], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of an `MMDFN` with these modalities: the preset's, and those given instead.

    Raises:
        ValueError: If there is no such preset, or a modality is neither the paper's nor given a
            speaker weight.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {sorted(PRESETS)}, but got {preset!r}.")
    settings = dict(PRESETS[preset])
    weights = given.get("speaker_weights")
    named = weights if isinstance(weights, Mapping) else {}
    known = {name: published for name in in_channels if (published := modality_of(name))}
    if unknown := [name for name in in_channels if name not in known and name not in named]:
        raise ValueError(
            f"in_channels must name modalities that the preset knows, {list(ALIASES)} (or such a "
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
