"""Fingerprints of extractors: JSON objects with all that feature vectors depend on."""

import hashlib
from collections.abc import Mapping
from fnmatch import fnmatchcase as fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from graphfusion._utils.files import open_regular

Fingerprint: TypeAlias = Mapping[str, Any]

#: Weights in the formats of other frameworks, which are neither downloaded nor loaded.
OTHERS = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.tflite"]
_UNUSED = [*OTHERS, ".*", "*/.*", "*.md", "*.png", "*.jpg", "*.jpeg", "*.gif", "*.svg", "*.webp"]


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
    """Computes the SHA-256 of all files of a model that may be loaded.

    These are all but hidden files, pictures, model cards, and weights of other frameworks.

    Raises:
        FileNotFoundError: If the folder has no configuration.
    """
    folder = Path(folder)
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    used = [name for name in sorted(names) if not any(fnmatch(name, each) for each in _UNUSED)]
    if not any(name.endswith(".json") for name in used):
        raise FileNotFoundError(f"model must be a folder of a model, but {folder} is not.")
    digest = hashlib.sha256()
    for name in used:
        digest.update(f"{name} {file_digest(folder / name)}\n".encode())
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
