"""Training of one model with one seed, in a folder of its own."""

import logging
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, EMAWeightAveraging
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.utilities.seed import isolate_rng

from graphfusion.datasets.corpus import Corpus
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.losses import class_weights
from graphfusion.models.saved import read_state
from graphfusion.training.checkpoints import CheckedCheckpoints, MovableCheckpoint, check, locked
from graphfusion.training.data import Data, check_splits, held_out
from graphfusion.training.folder import (
    check_folder,
    describe,
    is_finished,
    write_config,
    write_first,
)
from graphfusion.training.metrics import GOALS
from graphfusion.training.module import TrainingModule
from graphfusion.training.recipes import Recipe
from graphfusion.training.report import write_report
from graphfusion.training.results import write_results
from graphfusion.training.run import MODEL, Run
from graphfusion.training.settings import Settings

# What the trainer warns of although it is meant (2.6).
_EXPECTED = (
    ".*does not have many workers.*",
    ".*LeafSpec.*",
    ".*exists and is not empty.*",  # a resumed run's folder
    ".*smaller than the logging interval.*",
)


def fit(
    model: ConversationModel,
    corpus: Corpus,
    folder: str | PathLike[str],
    settings: Settings | None = None,
    *,
    seed: int = 0,
    resume: bool = False,
    devices: int = 1,
    workers: int = 0,
    recipe: Recipe | None = None,
    modalities: Sequence[str] | None = None,
    source: str | None = None,
) -> Run:
    """Trains a model, and scores it by both protocols.

    *strict*: the epoch is the best on held-out conversations: the corpus's validation split, or a
    tenth of its training conversations. *legacy*: it is the best on the test conversations, which
    is common in the field, and no score to expect on others. The model keeps the weights of the
    strict one, and the statistics of the training conversations.

    Args:
        model: Any model, with its initial weights.
        corpus: With splits "train", perhaps "test", and perhaps one for validation.
        folder: Where everything is written; it holds one run.
        settings: How to train; None: the defaults.
        seed: Draws the order, dropout and held-out conversations; from 0, below 2**32.
        resume: Whether to go on from the folder's last finished epoch, if there is one. The weights
            are in the end those of a run that was not cut off, to the bit. A finished run is
            returned as it is, and does not need its checkpoints.
        devices: How many processes (or GPUs) share the work.
        workers: How many processes read conversations; 0: the trainer's own.
        recipe: The recipe of a named model, so that :func:`load_model` needs no parts.
        modalities: The modalities given to :meth:`Corpus.select`, saved with the model for later
            predictions of a file.
        source: Where the corpus comes from, for people to read.

    Returns:
        The run.

    Raises:
        ValueError: If the corpus does not fit the model, the folder holds another run or is in use,
            or a checkpoint is damaged.
        OSError: If something cannot be written.
    """
    settings = settings or Settings()
    folder = Path(folder)
    check_splits(corpus)
    _check_fit(model, corpus, settings)
    train_ids, held = held_out(corpus, seed)
    config = {
        "model": {"class": type(model).__name__, "arguments": model.config},
        "recipe": recipe.as_dict() if recipe else None,
        "settings": settings.as_dict(),
        "seed": seed,
        "devices": devices,
        "data": describe(corpus, held) | {"source": source, "modalities": modalities},
    }
    with locked(folder), _quiet(), isolate_rng():
        if resume and is_finished(folder, config):
            return _reopened(folder, model, corpus)
        resumed = check_folder(folder, config, resume)
        parts = corpus.with_splits({"train": train_ids, "val": held})
        labels = torch.cat(parts.labels("train"))
        module = TrainingModule(
            model,
            settings,
            seed,
            ("val", "test") if corpus.splits.get("test") else ("val",),
            class_weights(labels, model.num_classes, settings.class_weights)
            if model.task == "classification"
            else None,
        )
        data = Data(
            parts.splits["train"],
            [parts.splits["val"], *([corpus.splits["test"]] if corpus.splits.get("test") else [])],
            settings.batch_size,
            seed,
            workers,
        )
        if (standardize := getattr(model.encoder, "standardize", None)) is not None:
            standardize.fit(parts.splits["train"])
        write_config(folder, config, resumed)
        if not resumed:
            write_first(folder, model)
        start = time.perf_counter()
        _train(module, data, folder, settings, devices, resumed)
        seconds = time.perf_counter() - start
        model.cpu().eval()
        write_results(folder, module, corpus, parts, config, seconds)
        module.trainer.strategy.barrier()  # until the first process has written them
    return Run(folder)


def _reopened(folder: Path, model: ConversationModel, corpus: Corpus) -> Run:
    """A finished run, its weights in the model."""
    model.load_state_dict(read_state(folder / MODEL))
    model.cpu().eval()
    run, report = Run(folder), folder / "report.html"
    if not report.exists():  # it is written last
        write_report([run], report, corpus)
    return run


def _train(
    module: TrainingModule,
    data: Data,
    folder: Path,
    settings: Settings,
    devices: int,
    resumed: bool,
) -> None:
    """Trains, and leaves the best epoch's weights in the module."""
    mode = GOALS[module.model.task].mode
    each_epoch: dict[str, Any] = {
        "save_on_train_epoch_end": True,
        "enable_version_counter": False,
    }
    best = MovableCheckpoint(folder, "best", monitor=module.goal, mode=mode, **each_epoch)
    # Not save_last, which writes no epoch but a best one (2.6).
    callbacks: list[pl.Callback] = [best, MovableCheckpoint(folder, "last", **each_epoch)]
    if settings.average:
        callbacks.append(EMAWeightAveraging(decay=settings.average))
    if settings.patience is not None:
        callbacks.append(
            EarlyStopping(module.goal, 0.0, settings.patience, mode=mode, check_finite=False)
        )
    trainer = pl.Trainer(
        max_epochs=settings.epochs,
        accelerator="auto",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
        callbacks=callbacks,
        enable_progress_bar=sys.stderr.isatty(),
        plugins=[CheckedCheckpoints()],
        logger=[CSVLogger(folder, name="", version=""), TensorBoardLogger(folder, "", "")],
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
    standardize = getattr(module.model.encoder, "standardize", None)
    hooks = [standardize.register_forward_hook(module.drop_features)] if standardize else []
    try:
        last = str(folder / "last.ckpt") if resumed else None
        trainer.fit(module, data, ckpt_path=last, weights_only=True)
    finally:
        for hook in hooks:
            hook.remove()
    check(Path(best.best_model_path))
    chosen = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    module.load_state_dict(chosen["state_dict"])


def _check_fit(model: ConversationModel, corpus: Corpus, settings: Settings) -> None:
    if dict(corpus.in_channels) != model.in_channels:
        raise ValueError(
            f"corpus must have the model's modalities, {model.in_channels}, but has "
            f"{corpus.in_channels}; corpus.select takes some of them."
        )
    if model.task != corpus.task:
        raise ValueError(
            f"corpus must have labels for {model.task}, but has some for {corpus.task}."
        )
    if corpus.classes and tuple(model.class_names) != tuple(corpus.classes):
        raise ValueError(
            "corpus must have the model's class_names in the same order, "
            f"{list(model.class_names)}, but has {list(corpus.classes)}; make the model with "
            "class_names=corpus.classes."
        )
    if settings.drop_features and not hasattr(model.encoder, "standardize"):
        raise ValueError("drop_features must be 0 where the encoder has no standardize.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the trainer where it says what is known."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _EXPECTED:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        logger.setLevel(level)
