"""Fingerprints of extractors: JSON objects with all that feature vectors depend on."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from graphfusion._utils.files import open_regular

Fingerprint: TypeAlias = Mapping[str, Any]


def constructor_arguments(fingerprint: Fingerprint) -> dict[str, Any]:
    """Returns the arguments that a built-in extractor was created with."""
    source = {name: fingerprint[name] for name in ("model", "revision") if name in fingerprint}
    return {**source, **fingerprint.get("options", {})}


def file_digest(path: str | Path) -> str:
    """Computes the SHA-256 of a file's content, once per process unless the file changes."""
    state = Path(path).stat()
    # A copy may keep the size and the time of modification, but not that of the change (ctime).
    return _digest(str(path), state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


@lru_cache(maxsize=100_000)
def _digest(path: str, *_: int) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


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
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f"{name} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def check_unchanged(model: str | Path, digest: str) -> None:
    """Checks that a model is still the one of an extractor, which may be in another process.

    Raises:
        ValueError: If another model has been saved in its place.
    """
    if (folder_digest if Path(model).is_dir() else file_digest)(model) != digest:
        raise ValueError(
            f"the model in {model} must be the one that the extractor was made with, but has "
            "changed: make a new extractor."
        )
