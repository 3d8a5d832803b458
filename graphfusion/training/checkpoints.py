"""Checkpoints that are written atomically, verified when loaded, and protected by a lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pandas as pd
import pytorch_lightning as pl
import torch
from filelock import FileLock, Timeout
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities import rank_zero_only

from graphfusion._utils.files import write_atomically
from graphfusion.training.module import TrainingModule

LAST, BEST, METRICS = "last.ckpt", "best.ckpt", "metrics.csv"


class Checkpoints(Checkpoint):
    """Callback that saves the state and the scores of each epoch.

    `last.ckpt` has the state of the last epoch, `best.ckpt` that of the best one, and `metrics.csv`
    the scores of all.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves them. The first process decides which epoch is the best."""
        assert isinstance(pl_module, TrainingModule)  # noqa: S101 - for the type checker
        if trainer.is_global_zero:
            table = pd.DataFrame(pl_module.history).to_csv(index=False)
            write_atomically(self.folder / METRICS, table.encode())
        best = pl_module.best_epoch() == len(pl_module.history) - 1
        if trainer.strategy.broadcast(best):
            trainer.save_checkpoint(self.folder / BEST)
        trainer.save_checkpoint(self.folder / LAST)  # the last, because a run is resumed from it


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoint plugin that writes atomically."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Writes a temporary file, then replaces the old checkpoint with it."""
        del storage_options
        write_atomically(path, lambda file: torch.save(checkpoint, file))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint to the CPU; no code in it is run.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it has changed since it was written, by the checksums that PyTorch stores for
            each part.
    """
    try:
        with ZipFile(path) as file:
            if broken := file.testzip():
                raise ValueError(broken)
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged file may raise errors of many types
        raise ValueError(
            f"{path} must be as it was written, but is damaged ({error}): remove the folder's "
            "checkpoints to train again from the start, or choose another folder."
        ) from error
    return checkpoint


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
    try:
        lock = FileLock(folder / ".lock").acquire(timeout=0)
    except Timeout as error:
        raise ValueError(
            f"{folder} must have one run at a time, but another process is training in it."
        ) from error
    with lock:
        yield
