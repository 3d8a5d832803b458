"""Loads models of the Hugging Face hub, from a local folder or by name."""

from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import torch

from graphfusion.recordings.fingerprint import folder_digest

#: Serialises encoding: tokenisers are not thread-safe, and torch uses several threads itself.
LOCK = Lock()

# Weights in the formats of other frameworks, which are not downloaded.
_OTHERS = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.tflite"]


def model_folder(model: str, revision: str | None) -> tuple[Path, str | None]:
    """Returns the local folder and the revision of a model, downloading it if necessary.

    Files in the hub's cache are not downloaded again. `HF_HUB_OFFLINE=1` disables downloads.

    Args:
        model: A folder, or the name of a model on the hub.
        revision: A branch, tag or commit on the hub; must be None for a folder.

    Raises:
        ValueError: If a revision is given for a folder.
        OSError: If the model does not exist or cannot be downloaded.
    """
    if Path(model).is_dir():
        if revision is not None:
            raise ValueError(f"revision must be None for a folder, but got {revision!r}.")
        return Path(model), None
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(model, revision=revision, ignore_patterns=_OTHERS))
    return folder, folder.name  # a snapshot's folder is named by its commit


def model_digest(folder: Path) -> str:
    """Returns the checksum of a model's files, computed once per process unless a file changes."""
    stats = [(str(path), path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return _digest(folder, tuple((name, each.st_size, each.st_mtime_ns) for name, each in stats))


@lru_cache
def _digest(folder: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    del files  # the key
    return folder_digest(folder)


def check_unchanged(folder: Path, digest: str) -> None:
    """Checks that the model in a folder is still that of an extractor, which may be elsewhere.

    Raises:
        ValueError: If another model has been saved there.
    """
    if model_digest(folder) != digest:
        raise ValueError(
            f"the model in {folder} must be the one that the extractor was made with, but has "
            "changed: make a new extractor."
        )


@lru_cache(maxsize=4)
def load_encoder(folder: Path, digest: str) -> Any:
    """Loads the model in a folder, in evaluation mode on the CPU; cached by its digest."""
    check_unchanged(folder, digest)
    from transformers import AutoModel

    # Always float32, since the support of other dtypes differs between CPUs.
    model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    return model.eval()


@lru_cache(maxsize=4)
def load_tokenizer(folder: Path, digest: str) -> Any:
    """Loads the tokeniser in a folder; cached by the digest of its model."""
    check_unchanged(folder, digest)
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


@lru_cache(maxsize=4)
def load_feature_extractor(folder: Path, digest: str) -> Any:
    """Loads the feature extractor in a folder, which prepares audio; cached by the digest."""
    check_unchanged(folder, digest)
    from transformers import AutoFeatureExtractor

    return AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
