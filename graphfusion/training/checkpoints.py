"""Checkpoints: whole or not there, checked before they are read, of one process at a time."""

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
    """Checkpoints that are there whole or not at all, and are refused once they have changed."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Writes beside the old checkpoint, then puts the new one in its place."""
        del storage_options
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())

    def load_checkpoint(self, path: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Reads what was written, and no code."""
        check(Path(path))
        try:
            loaded: dict[str, Any] = super().load_checkpoint(path, *args, **kwargs)
        except Exception as error:
            raise _damaged(Path(path), error) from error
        return loaded


def check(path: Path) -> None:
    """Compares a checkpoint with the checksums that PyTorch gives each of its parts.

    Raises:
        ValueError: If it has changed since it was written.
    """
    try:
        with ZipFile(path) as file:
            broken = file.testzip()
    except OSError:
        raise
    except Exception as error:  # of many kinds, for a directory of anything
        raise _damaged(path, error) from error
    if broken is not None:
        raise _damaged(path, broken)


def _damaged(path: Path, why: object) -> ValueError:
    return ValueError(
        f"{path} must be as it was written, but is damaged ({why}): remove the folder's "
        "checkpoints, or begin in another folder."
    )


class MovableCheckpoint(ModelCheckpoint):
    """Where the run's folder was moved to, the trainer's own would lose the best epoch."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the same files of the folder where it is now for those that it was about."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath), Path(path).name)) if path else path

        best = {here(path): score for path, score in state_dict["best_k_models"].items()}
        paths = {key: here(state_dict[key]) for key in state_dict if key.endswith("_model_path")}
        super().load_state_dict(
            state_dict | paths | {"best_k_models": best, "dirpath": self.dirpath}
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a run's folder to this process and those that it started.

    The lock is the operating system's: it is free again once its owner is dead.

    Raises:
        ValueError: If another process has it.
    """
    if getattr(rank_zero_only, "rank", 0) != 0:  # one of those that it started
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
