"""What made the features that a model was trained on, as its folder says."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphfusion._utils.files import read_regular
from graphfusion._utils.warn import warn
from graphfusion.recordings.fingerprint import Fingerprint, differences

_DATA = "data.json"


def read_origins(folder: Path) -> tuple[list[str], dict[str, Fingerprint]]:
    """Reads a model's modalities, as `Corpus.select` took them, and each one's fingerprint.

    Raises:
        FileNotFoundError: If the folder does not say.
        ValueError: If what it says cannot be read, or is not enough.
    """
    path = folder / _DATA
    if not path.is_file():
        inner = folder / "model"  # of a run's folder
        hint = f"; did you mean {inner}?" if (inner / _DATA).is_file() else "."
        raise FileNotFoundError(f"folder must have a {_DATA}, but {folder} has none{hint}")
    try:
        data = json.loads(read_regular(path, 2**24))
        # None: as they are in the corpus.
        modalities = list(data["modalities"] or data["in_channels"])
        extractors = dict(data["extractors"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} must be an object with modalities and extractors, but: {error!r}."
        ) from error
    return modalities, _by_modality(modalities, extractors)


def _by_modality(
    modalities: Sequence[str], extractors: Mapping[str, Any]
) -> dict[str, Fingerprint]:
    """The fingerprint of each modality before any were joined."""
    known: dict[str, Fingerprint] = {}
    for group in (entry.split("+") for entry in modalities):
        joined = extractors.get(group[0], {})
        if len(group) > 1 and set(joined) <= set(group):  # as of a corpus after its `select`
            extractors = {**extractors, **joined}
        for name in group:
            if not extractors.get(name):
                raise ValueError(
                    f"{_DATA} must say what made the features of {name!r}, but does not: the model "
                    "was trained on features of unknown origin, and cannot meet a recording."
                )
            known[name] = extractors[name]
    return known


def check_same(modality: str, ours: Fingerprint, theirs: Fingerprint) -> None:
    """Refuses an extractor that makes other features; warns if packages have other versions."""
    if different := differences(ours, theirs):
        said = ", ".join(f"{n}: {theirs.get(n)!r} then, {ours.get(n)!r} now" for n in different)
        raise ValueError(
            f"the extractor of {modality!r} must be the one of the training, but differs ({said})."
        )
    if ours.get("versions") != theirs.get("versions"):
        warn(
            f"the extractor of {modality!r} should have the training's versions, "
            f"{theirs.get('versions')}, but has {ours.get('versions')}: features may differ.",
        )
