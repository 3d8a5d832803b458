"""Training of one model with one seed."""

import logging
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, EMAWeightAveraging
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities.seed import isolate_rng

from graphfusion._utils.constants import check_as_configured, constants
from graphfusion.datasets.corpus import Corpus
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.training.checkpoints import (
    BEST,
    LAST,
    AtomicCheckpoints,
    Checkpoints,
    locked,
    read_checkpoint,
)
from graphfusion.training.data import check_splits, held_out
from graphfusion.training.fit_checks import check_fit, check_labels, check_recipe, settings_of
from graphfusion.training.folder import (
    check_first,
    check_folder,
    is_finished,
    write_start,
)
from graphfusion.training.module import TrainingModule
from graphfusion.training.recipes import Recipe
from graphfusion.training.results import load_results, write_results
from graphfusion.training.run import Run
from graphfusion.training.seen import Keys, check_unseen, recorded
from graphfusion.training.settings import Settings

# Warnings of the trainer about intended behaviour (Lightning 2.6).
_EXPECTED_WARNINGS = (
    ".*does not have many workers.*",
    ".*LeafSpec.*",
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
        model: The model, with its initial weights; if it is in evaluation mode, as a loaded
            one, it is set to training mode; if only parts are, they stay so.
        corpus: A corpus with a split "train", and optional splits for testing and validation.
        folder: The output folder, for one run.
        settings: The training settings; None: the recipe's, or else the defaults.
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
            the epoch by; the model or settings differ from the recipe's; a part of a model that
            builds its own was replaced; the folder holds another run (or this one from other
            initial weights) or is in use; a checkpoint is damaged; or an earlier fit in this
            process has trained the model on conversations that are held out or tested now.
        OSError: If a file cannot be written.
    """
    settings = settings_of(settings, recipe)
    folder = Path(folder)
    check_as_configured(model)
    check_splits(corpus)
    check_fit(model, corpus, settings)
    check_recipe(model, corpus, recipe)
    train_ids, held = held_out(corpus, seed)
    test = {"test": corpus.ids("test")} if corpus.splits.get("test") else {}
    parts = corpus.with_splits({"train": train_ids, "val": held, **test})
    check_labels(parts)
    config: dict[str, Any] = {
        "model": {
            "class": type(model).__name__,
            "arguments": model.config,
            **({} if recipe else {"parts": constants(model)}),  # a recipe determines them
        },
        "recipe": asdict(recipe) if recipe else None,
        "settings": asdict(settings),
        "seed": seed,
        "devices": devices,
        "data": {
            "fingerprint": corpus.fingerprint,
            "in_channels": corpus.in_channels,
            "classes": list(corpus.classes),
            "splits": {name: len(conversations) for name, conversations in corpus.splits.items()},
            "held_out": held,
            "source": source,
            "modalities": modalities,
            **({"extractors": corpus.extractors} if corpus.extractors else {}),
        },
    }
    with locked(folder), _without_expected_warnings(), isolate_rng():
        if resume and is_finished(folder, config):
            model.extractors = corpus.extractors
            with recorded(model, corpus, train_ids, frozenset()):
                return load_results(folder, model, corpus)
        resumed = check_folder(folder, config, resume)
        before: Keys = frozenset()
        if not resumed:
            check_first(folder, model)
            before = check_unseen(model, corpus, [*held, *test.get("test", [])])
        module = TrainingModule(model, parts, settings, seed, workers)
        if (standardize := getattr(model.encoder, "standardize", None)) is not None:
            standardize.fit(parts.splits["train"])
        if not any(each.training for each in model.modules()):  # else some may be frozen
            model.train()  # a loaded or trained model comes in evaluation mode
        model.extractors = corpus.extractors  # now that nothing is refused any more
        write_start(folder, config, model, resumed)
        start = time.perf_counter()
        with recorded(model, corpus, train_ids, before):
            _train(module, folder, devices, resumed)
        seconds = time.perf_counter() - start
        model.cpu().eval()
        write_results(folder, module, config, seconds)
        module.trainer.strategy.barrier()  # until the first process has written them
    return Run(folder)


def _train(module: TrainingModule, folder: Path, devices: int, resumed: bool) -> None:
    """Trains the module, and loads the weights of its best epoch."""
    settings = module.settings
    callbacks: list[pl.Callback] = [Checkpoints(folder)]
    if settings.average:
        callbacks.append(EMAWeightAveraging(decay=settings.average))
    if settings.patience is not None:
        name, mode = f"val_{module.goal.name}", module.goal.mode
        callbacks.append(EarlyStopping(name, 0.0, settings.patience, mode=mode, check_finite=False))
    epochs = settings.epochs
    if resumed and settings.patience is not None:
        history = read_checkpoint(folder / LAST)["history"]
        best = module.goal.best([row[f"val_{module.goal.name}"] for row in history])
        if len(history) - 1 - best >= settings.patience:
            epochs = len(history)  # it was stopped, and only its results are missing
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="auto",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
        callbacks=callbacks,
        enable_progress_bar=sys.stderr.isatty(),
        plugins=[AtomicCheckpoints()],
        logger=TensorBoardLogger(folder, "", ""),
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
    standardize = getattr(module.model.encoder, "standardize", None)
    dropped = standardize.register_forward_hook(module.drop_features) if standardize else None
    last = str(folder / LAST) if resumed else None
    handler = signal.getsignal(signal.SIGINT)
    try:
        with dropped or nullcontext():  # the hook is removed afterwards
            trainer.fit(module, ckpt_path=last, weights_only=True)
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)  # which the trainer has set to be ignored
        raise KeyboardInterrupt from error
    module.load_state_dict(read_checkpoint(folder / BEST)["state_dict"])


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
