"""Fingerprints: what a feature vector depends on, as text that can be compared."""

import json
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from graphfusion._utils.files import open_regular

# What may differ without another model: where it came from. Its weights are compared.
_SOURCE = ("model", "revision")


def make_fingerprint(
    extractor: str,
    options: Mapping[str, Any],
    packages: tuple[str, ...],
    weights: str | None = None,
    **source: str | None,
) -> str:
    """Writes a fingerprint as JSON.

    Args:
        extractor: The name of the extractor's class.
        options: The constructor's arguments, but for the model.
        packages: The distributions that compute the vectors, whose versions it names.
        weights: The checksum of the model, if there is one.
        **source: The `model` and its `revision`.
    """
    content = {
        "extractor": extractor,
        **source,
        "options": dict(options),
        "versions": {name: version(name) for name in packages},
    }
    if weights is not None:
        content["sha256"] = weights
    return json.dumps(content, sort_keys=True)


def parse_fingerprint(fingerprint: str) -> dict[str, Any] | None:
    """What :func:`make_fingerprint` was given; None: it is somebody else's text."""
    try:
        content = json.loads(fingerprint)
    except ValueError:
        return None
    return content if isinstance(content, dict) and "extractor" in content else None


def compare(ours: str, theirs: str) -> tuple[list[str], list[str]]:
    """What two fingerprints differ in.

    Returns:
        The differences that make other features (another extractor, other options, other weights),
        and those that may (another version of a package).
    """
    one, other = parse_fingerprint(ours), parse_fingerprint(theirs)
    if one is None or other is None:
        return ([] if ours == theirs else ["fingerprint"]), []
    hashed = "sha256" in one and "sha256" in other
    names = [
        name
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name) and not (hashed and name in _SOURCE)
    ]
    return [name for name in names if name != "versions"], [n for n in names if n == "versions"]


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's content."""
    digest = sha256()
    with open_regular(path) as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def folder_digest(folder: str | Path) -> str:
    """SHA-256 of the names and contents of a model's files: weights, configuration, vocabulary.

    Raises:
        FileNotFoundError: If the folder has none.
    """
    folder = Path(folder)
    kept = (".json", ".txt", ".model", ".safetensors", ".bin")
    files = sorted(
        (path.relative_to(folder).as_posix(), path)
        for path in folder.rglob("*")
        if path.suffix in kept and path.is_file()
    )
    if not files:
        raise FileNotFoundError(f"model must be a folder with a model's files, but {folder} is not.")
    digest = sha256()
    for name, path in files:
        digest.update(f"{name} {file_digest(path)}\n".encode())
    return digest.hexdigest()
