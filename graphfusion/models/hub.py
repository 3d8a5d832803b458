"""Models in repositories of the Hugging Face Hub."""

import os
from pathlib import Path

from graphfusion._utils.extras import require

#: The files of a model. Nothing else of a repository is downloaded, and never code.
FILES = ["config.json", "model.safetensors", "data.json"]


def opened(folder: str | os.PathLike[str], revision: str | None) -> Path:
    """Returns a folder, or with a revision the downloaded folder of a repository.

    The revision decides, so that a mistyped path is never a download.

    Raises:
        ImportError: If huggingface_hub is needed and not installed.
        OSError: If the repository or the revision is not there, or cannot be reached.
    """
    if revision is None:
        return Path(folder)
    require("hub", "open a repository")
    import huggingface_hub

    downloaded = huggingface_hub.snapshot_download(
        os.fspath(folder), revision=revision, allow_patterns=FILES
    )
    return Path(downloaded)
