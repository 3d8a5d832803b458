"""Models in repositories of the Hugging Face Hub."""

import os
from pathlib import Path

from graphfusion._utils.extras import require

#: All that a model is: nothing else of a repository is downloaded, no code above all.
FILES = ["config.json", "model.safetensors", "data.json"]


def opened(folder: str | os.PathLike[str], revision: str | None) -> Path:
    """The folder itself; with a revision, that of a repository's model, downloaded if need be.

    A folder is never taken for a repository, nor the other way round, for a mistyped path would be
    a download.

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
