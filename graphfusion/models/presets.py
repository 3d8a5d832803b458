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


def arguments(
    preset: str, in_channels: Mapping[str, int], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of an `MMDFN` with these modalities: the preset's, and those given instead.

    Raises:
        ValueError: If there is no such preset, or it knows none of the modalities and
            `speaker_weights` and `context` are not given.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {sorted(PRESETS)}, but got {preset!r}.")
    settings = dict(PRESETS[preset])
    weights = settings["speaker_weights"]
    known = {
        name: published
        for name in in_channels
        for published in weights
        if f"{name}_".startswith(f"{published}_")
    }
    if not known and not {"speaker_weights", "context"} <= given.keys():
        raise ValueError(
            f"in_channels must name some of {list(weights)} (or names that go on with an "
            "underscore), or speaker_weights and context must be given, "
            f"but got {list(in_channels)}."
        )
    for key in ("context", "speaker_normalized"):
        chosen = settings.get(key, ())
        settings[key] = [name for name, published in known.items() if published in chosen]
    settings["speaker_weights"] = {name: weights[published] for name, published in known.items()}
    return {**settings, **given}
