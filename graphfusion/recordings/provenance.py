"""The modalities that a model was trained on, and the fingerprints of their extractors."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphfusion._utils.files import read_regular
from graphfusion.recordings.fingerprint import Fingerprint

_DATA = "data.json"


def read_modalities(folder: Path) -> list[str]:
    """Reads the modalities that a model was trained on, as passed to `Corpus.select`.

    Raises:
        FileNotFoundError: If the folder has no `data.json`.
        ValueError: If the file is invalid.
    """
    path = folder / _DATA
    if not path.is_file():
        inner = folder / "model"  # if `folder` is the folder of a run
        hint = f"; did you mean {inner}?" if (inner / _DATA).is_file() else "."
        raise FileNotFoundError(f"folder must have a {_DATA}, but {folder} has none{hint}")
    try:
        data = json.loads(read_regular(path, 2**24))
        # None: those of the corpus.
        return list(data["modalities"] or data["in_channels"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be an object with modalities, but: {error!r}.") from error


def by_modality(modalities: Sequence[str], extractors: Mapping[str, Any]) -> dict[str, Fingerprint]:
    """Returns the fingerprint of each single modality, splitting joined ones.

    Args:
        modalities: Those of :func:`read_modalities`.
        extractors: Those of the model.

    Raises:
        ValueError: If a fingerprint is missing.
    """
    known = known_origins(modalities, extractors)
    for name in (name for entry in modalities for name in entry.split("+")):
        if name not in known:
            raise ValueError(
                f"model must have the fingerprint of {name!r}'s extractor, but was trained on "
                "features of unknown origin, and cannot predict recordings."
            )
    return known


def known_origins(
    modalities: Sequence[str], extractors: Mapping[str, Any]
) -> dict[str, Fingerprint]:
    """Returns the fingerprints of single modalities, as :func:`by_modality`, that are known."""
    known: dict[str, Fingerprint] = {}
    for group in (entry.split("+") for entry in modalities):
        own = extractors.get(group[0], {})
        # Those of modalities that `Corpus.select` joined are by name.
        joined = {group[0]: own} if len(group) == 1 else own
        for name in group:
            if joined.get(name) and set(joined[name]) != {"columns"}:  # of a table
                known[name] = joined[name]
    return known
