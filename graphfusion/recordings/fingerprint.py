"""Fingerprints of extractors: JSON objects with all that feature vectors depend on."""

from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from graphfusion._utils.files import open_regular

Fingerprint: TypeAlias = Mapping[str, Any]


def make_fingerprint(
    extractor: str,
    options: Mapping[str, Any],
    packages: tuple[str, ...],
    weights: str | None = None,
    **source: str | None,
) -> dict[str, Any]:
    """Creates the fingerprint of a built-in extractor.

    Args:
        extractor: The name of the class.
        options: The arguments of the constructor, except for the model.
        packages: The distributions that compute the vectors, whose versions are recorded.
        weights: The checksum of the model, if there is one.
        **source: The `model` and its `revision`.
    """
    return {
        "extractor": extractor,
        **source,
        "options": dict(options),
        "versions": {name: version(name) for name in packages},
        **({} if weights is None else {"sha256": weights}),
    }


def file_digest(path: str | Path) -> str:
    """Computes the SHA-256 of a file's content."""
    digest = sha256()
    with open_regular(path) as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def folder_digest(folder: str | Path) -> str:
    """Computes the SHA-256 of a model's files: weights, configuration and vocabulary.

    Raises:
        FileNotFoundError: If the folder has no such files.
    """
    folder = Path(folder)
    kept = (".json", ".txt", ".model", ".safetensors", ".bin")
    files = sorted(
        (path.relative_to(folder).as_posix(), path)
        for path in folder.rglob("*")
        if path.suffix in kept and path.is_file()
    )
    if not files:
        raise FileNotFoundError(f"model must be a folder of a model, but {folder} is not.")
    digest = sha256()
    for name, path in files:
        digest.update(f"{name} {file_digest(path)}\n".encode())
    return digest.hexdigest()
