"""Checkpoints that are written atomically, verified when loaded, and protected by a lock."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from filelock import FileLock, Timeout
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities import rank_zero_only

from graphfusion._utils.files import write_atomically


class CheckedCheckpoints(TorchCheckpointIO):
    """Checkpoint plugin that writes atomically, and verifies checksums when loading."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Writes a temporary file, then replaces the old checkpoint with it."""
        del storage_options
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())

    def load_checkpoint(self, path: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Loads a checkpoint after verifying it; no code in it is run."""
        check(Path(path))
        try:
            loaded: dict[str, Any] = super().load_checkpoint(path, *args, **kwargs)
        except Exception as error:
            raise _damaged(Path(path), error) from error
        return loaded


def check(path: Path) -> None:
    """Verifies the checksums that PyTorch stores for each part of a checkpoint.

    Raises:
        ValueError: If the checkpoint has changed since it was written.
    """
    try:
        with ZipFile(path) as file:
            broken = file.testzip()
    except OSError:
        raise
    except Exception as error:  # a damaged file may raise errors of many types
        raise _damaged(path, error) from error
    if broken is not None:
        raise _damaged(path, broken)


def _damaged(path: Path, why: object) -> ValueError:
    return ValueError(
        f"{path} must be as it was written, but is damaged ({why}): remove the folder's "
        "checkpoints, or begin in another folder."
    )


class MovableCheckpoint(ModelCheckpoint):
    """A `ModelCheckpoint` that still finds its best checkpoint after the folder was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads the state, with the saved paths replaced by those in the present folder."""

        def in_folder(path: str) -> str:
            return str(Path(str(self.dirpath), Path(path).name)) if path else path

        best = {in_folder(path): score for path, score in state_dict["best_k_models"].items()}
        paths = {
            key: in_folder(state_dict[key]) for key in state_dict if key.endswith("_model_path")
        }
        super().load_state_dict(
            state_dict | paths | {"best_k_models": best, "dirpath": self.dirpath}
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a run's folder against other processes, except those that this one started.

    The operating system releases the lock when its owner exits.

    Raises:
        ValueError: If another process has locked the folder.
    """
    if getattr(rank_zero_only, "rank", 0) != 0:  # a process started by the one with the lock
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ValueError(
            f"{folder} must have one run at a time, but another process is training in it."
        ) from error
    try:
        yield
    finally:
        lock.release()
