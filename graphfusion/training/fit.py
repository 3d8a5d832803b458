"""Training of one model with one seed."""

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
from graphfusion.training.checkpoints import CheckedCheckpoints, MovableCheckpoint, check, locked
from graphfusion.training.data import Data, check_splits, held_out
from graphfusion.training.fit_checks import check_fit, check_labels
from graphfusion.training.folder import (
    check_first,
    check_folder,
    describe,
    is_finished,
    write_config,
    write_first,
)
from graphfusion.training.metrics import GOALS
from graphfusion.training.module import TrainingModule
from graphfusion.training.recipes import Recipe
from graphfusion.training.results import load_results, write_results
from graphfusion.training.run import Run
from graphfusion.training.seen import check_unseen, recorded, trained_on
from graphfusion.training.settings import Settings

# Warnings of the trainer about intended behaviour (Lightning 2.6).
_EXPECTED_WARNINGS = (
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

    They differ in how the epoch is chosen. *strict*: by the score on held-out conversations, which
    are the validation split, or else a tenth of the training conversations. *legacy*: by the score
    on the test conversations. That is common in the field, but overestimates the score on new ones.
    The model keeps the weights of the strict epoch. If it standardises features, the statistics
    are those of the training conversations.

    Args:
        model: The model, with its initial weights.
        corpus: A corpus with a split "train", and optional splits for testing and validation.
        folder: The output folder, for one run.
        settings: The training settings; None: the defaults.
        seed: The seed of the order, dropout and held-out conversations, in [0, 2**32). It does not
            seed the initial weights, which `model` has already; :func:`fit_seeds` does.
        resume: Whether to continue after the last finished epoch in the folder, if there is one.
            The final weights equal those of an uninterrupted run exactly. A finished run is
            returned without training, and does not need its checkpoints.
        devices: Number of processes (or GPUs) to train on.
        workers: Number of processes that load data; 0: the main process.
        recipe: The recipe of a named model. It is saved, so that :func:`load_model` can rebuild
            the model without being given its parts.
        modalities: The modalities given to :meth:`Corpus.select`. They are saved, to select the
            same ones for later predictions.
        source: The origin of the corpus, for display.

    Returns:
        The finished run.

    Warns:
        UserWarning: If a class has no example to train on.

    Raises:
        ValueError: If the corpus does not fit the model, or has no labels to train on or to choose
            the epoch by; the folder holds another run (or this one from other initial weights) or
            is in use; a checkpoint is damaged; or an earlier fit in this process has trained the
            model on conversations that are held out or tested now.
        OSError: If a file cannot be written.
    """
    settings = settings or Settings()
    folder = Path(folder)
    check_splits(corpus)
    check_fit(model, corpus, settings)
    train_ids, held = held_out(corpus, seed)
    parts = corpus.with_splits({"train": train_ids, "val": held})
    check_labels(parts)
    config: dict[str, Any] = {
        "model": {"class": type(model).__name__, "arguments": model.config},
        "recipe": recipe.as_dict() if recipe else None,
        "settings": settings.as_dict(),
        "seed": seed,
        "devices": devices,
        "data": describe(corpus, held) | {"source": source, "modalities": modalities},
    }
    with locked(folder), _without_expected_warnings(), isolate_rng():
        if resume and is_finished(folder, config):
            model.extractors = corpus.extractors
            with recorded(model, corpus, train_ids, frozenset()):
                return load_results(folder, model, corpus)
        resumed = check_folder(folder, config, resume)
        before = frozenset() if resumed else trained_on(model)
        if not resumed:
            check_first(folder, model)
            check_unseen(before, corpus, held)
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
        model.extractors = corpus.extractors  # now that nothing is refused any more
        write_config(folder, config, resumed)
        if not resumed:
            write_first(folder, model)
        start = time.perf_counter()
        with recorded(model, corpus, train_ids, before):
            _train(module, data, folder, settings, devices, resumed)
        seconds = time.perf_counter() - start
        model.cpu().eval()
        write_results(folder, module, corpus, parts, config, seconds)
        module.trainer.strategy.barrier()  # until the first process has written them
    return Run(folder)


def _train(
    module: TrainingModule,
    data: Data,
    folder: Path,
    settings: Settings,
    devices: int,
    resumed: bool,
) -> None:
    """Trains the module, and loads the weights of its best epoch."""
    mode = GOALS[module.model.task].mode
    each_epoch: dict[str, Any] = {
        "save_on_train_epoch_end": True,
        "enable_version_counter": False,
    }
    best = MovableCheckpoint(folder, "best", monitor=module.goal, mode=mode, **each_epoch)
    # Not `save_last`, which saves only when there is a new best epoch (Lightning 2.6).
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


@contextmanager
def _without_expected_warnings() -> Iterator[None]:
    """Suppresses the trainer's messages below warnings, and its warnings that are expected."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _EXPECTED_WARNINGS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        logger.setLevel(level)
