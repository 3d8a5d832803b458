"""Reads the fingerprints of the extractors that a model was trained with."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphfusion._utils.files import read_regular
from graphfusion.recordings.fingerprint import Fingerprint

_DATA = "data.json"


def read_provenance(folder: Path) -> tuple[list[str], dict[str, Fingerprint]]:
    """Reads a model's modalities, as passed to `Corpus.select`, and the fingerprint of each.

    Raises:
        FileNotFoundError: If the folder has no `data.json`.
        ValueError: If the file is invalid, or lacks a fingerprint.
    """
    path = folder / _DATA
    if not path.is_file():
        inner = folder / "model"  # if `folder` is the folder of a run
        hint = f"; did you mean {inner}?" if (inner / _DATA).is_file() else "."
        raise FileNotFoundError(f"folder must have a {_DATA}, but {folder} has none{hint}")
    try:
        data = json.loads(read_regular(path, 2**24))
        # None: those of the corpus.
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
    """Returns the fingerprint of each single modality, splitting joined ones."""
    known: dict[str, Fingerprint] = {}
    for group in (entry.split("+") for entry in modalities):
        joined = extractors.get(group[0], {})
        if len(group) > 1 and set(joined) <= set(group):  # joined by `Corpus.select`
            extractors = {**extractors, **joined}
        for name in group:
            if not extractors.get(name) or set(extractors[name]) == {"columns"}:  # of a table
                raise ValueError(
                    f"{_DATA} must have the fingerprint of {name!r}, but does not: the model was "
                    "trained on features of unknown origin, and cannot predict recordings."
                )
            known[name] = extractors[name]
    return known
