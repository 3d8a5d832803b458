"""Models of the Hugging Face hub: a folder here, or a name that is downloaded when it is given."""

from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import torch

from graphfusion.recordings.fingerprint import folder_digest

#: Tokenisers are not for several threads, and torch has threads of its own.
LOCK = Lock()

# Copies of the weights for other programs.
_OTHERS = ["onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.tflite"]


def model_folder(model: str, revision: str | None) -> tuple[Path, str | None]:
    """The folder of a model, and its revision.

    Nothing is downloaded that is in the hub's cache; with `HF_HUB_OFFLINE=1` nothing at all.

    Args:
        model: A folder, or the hub's name of a model.
        revision: The hub's branch, tag or commit; of a folder, None.

    Raises:
        ValueError: If a folder is given a revision.
        OSError: If there is no such model, or no way to it.
    """
    if Path(model).is_dir():
        if revision is not None:
            raise ValueError(f"revision must be None for a folder, but got {revision!r}.")
        return Path(model), None
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(model, revision=revision, ignore_patterns=_OTHERS))
    return folder, folder.name  # a snapshot's folder is named by its commit


@lru_cache
def model_digest(folder: Path) -> str:
    """The checksum of a model's files, worked out once a process."""
    return folder_digest(folder)


@lru_cache(maxsize=4)
def load_encoder(folder: Path) -> Any:
    """The model in a folder, in evaluation mode on the CPU; loaded once a process."""
    from transformers import AutoModel

    # In float32, whatever the weights were saved in: CPUs differ in what else they are good at.
    model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    return model.eval()


@lru_cache(maxsize=4)
def load_tokenizer(folder: Path) -> Any:
    """The tokeniser in a folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


@lru_cache(maxsize=4)
def load_feature_extractor(folder: Path) -> Any:
    """What prepares sound for the model in a folder."""
    from transformers import AutoFeatureExtractor

    return AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
