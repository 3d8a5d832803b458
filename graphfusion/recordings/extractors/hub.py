"""Models of the Hugging Face hub, from a local folder or by name."""

from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import torch

from graphfusion.recordings.extractors.built_in import BuiltIn
from graphfusion.recordings.fingerprint import OTHERS, check_unchanged, folder_digest

#: Serialises encoding: tokenisers are not thread-safe, and torch uses several threads itself.
LOCK = Lock()


class HubModel(BuiltIn):
    """Base class of extractors by a model of the hub, which is loaded once per process.

    Args:
        packages: The distributions that compute the vectors.
        options: The arguments of the constructor, except for the model.
        model: A folder, or the name of a model on the hub.
        revision: A branch, tag or commit on the hub; must be None for a folder.

    Raises:
        ValueError: If a revision is given for a folder.
        OSError: If the model does not exist or cannot be downloaded.
    """

    def __init__(
        self,
        packages: tuple[str, ...],
        options: dict[str, str | int],
        model: str,
        revision: str | None,
    ) -> None:
        self.folder, revision = _local_folder(model, revision)
        digest = folder_digest(self.folder)
        super().__init__(packages, options, model=model, revision=revision, sha256=digest)

    def load(self, kind: str) -> Any:
        """Loads a part of the model by its class, such as "AutoTokenizer", from the folder.

        Raises:
            ValueError: If another model has been saved there since the extractor was made.
        """
        return load(kind, self.folder, self.fingerprint["sha256"])


def _local_folder(model: str, revision: str | None) -> tuple[Path, str | None]:
    """Returns the local folder and the revision of a model, downloading it if necessary.

    Files in the hub's cache are not downloaded again. `HF_HUB_OFFLINE=1` disables downloads.
    """
    if Path(model).is_dir():
        if revision is not None:
            raise ValueError(f"revision must be None for a folder, but got {revision!r}.")
        return Path(model), None
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download(model, revision=revision, ignore_patterns=OTHERS))
    return folder, folder.name  # a snapshot's folder is named by its commit


@lru_cache(maxsize=8)
def load(kind: str, folder: Path, digest: str) -> Any:
    """Loads a part of the model in a folder; cached by the model's digest."""
    check_unchanged(folder, digest)
    if kind == "SentenceTransformer":
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    import transformers

    # Always float32, since the support of other dtypes differs between CPUs.
    options = {"dtype": torch.float32} if kind == "AutoModel" else {}
    return getattr(transformers, kind).from_pretrained(folder, local_files_only=True, **options)
