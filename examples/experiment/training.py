"""One run: a model trained with one seed, in a folder that tells all about it."""

import csv
import io
import json
import logging
import platform
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor
from torch_geometric.loader import DataLoader
from torchmetrics.functional.classification import (
    multiclass_confusion_matrix,
    multiclass_f1_score,
)

from experiment.batches import batches
from experiment.data import fingerprint, held_out
from experiment.recipes import Recipe
from experiment.recognizer import Recognizer
from graphfusion import MMDFN, Conversation
from graphfusion._utils.files import write_atomically
from graphfusion.datasets import Corpus

# What the trainer warns of although it is meant (2.6).
EXPECTED = (
    ".*does not have many workers.*",
    ".*LeafSpec.*",
    ".*exists and is not empty.*",  # a resumed run's folder
)
PACKAGES = ("graphfusion", "torch", "torch-geometric", "pytorch-lightning", "numpy")


@dataclass(frozen=True)
class Run:
    """What a run is to do.

    Attributes:
        model: One of `recipes.MODELS`.
        preset: Whose settings the model has.
        recipe: How it is trained.
        seed: Draws weights, order, dropout, and the held-out conversations.
        epochs: How many to choose from.
        folder: Where everything is written.
        resume: Whether to go on from the folder's last checkpoint, if it has one.
        devices: How many processes share the work.
    """

    model: str
    preset: str
    recipe: Recipe
    seed: int
    epochs: int
    folder: Path
    resume: bool = False
    devices: int = 1


@dataclass(frozen=True)
class Result:
    """What a run gave. Scores are fractions.

    Attributes:
        strict: Test accuracy and weighted F1 at the epoch that was best on held-out conversations.
        legacy: The same at the epoch whose weighted F1 was best on the test conversations.
        val_f1: Weighted F1 on the held-out conversations, at their best epoch.
        f1: Test F1 of each class, strict.
        confusion: `[K, K]` test utterances, true class by predicted class, strict.
        epoch: The epochs of both, numbered from 0.
        seconds: Time of the training, without earlier ones of a resumed run.
    """

    strict: dict[str, float]
    legacy: dict[str, float]
    val_f1: float
    f1: list[float]
    confusion: list[list[int]]
    epoch: dict[str, int]
    seconds: float


def quiet() -> None:
    """Silences the trainer where it says what is known."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in EXPECTED:
        warnings.filterwarnings("ignore", message)


class Data(pl.LightningDataModule):
    """Batches of conversations, drawn anew each epoch."""

    def __init__(
        self, run: Run, training: list[Conversation], scored: list[list[Conversation]]
    ) -> None:
        super().__init__()
        self.run = run
        self.training = training
        self.scored = scored

    def train_dataloader(self) -> DataLoader:
        """This process's share of the epoch's steps."""
        assert self.trainer is not None  # noqa: S101 - the trainer calls this
        share = batches(
            len(self.training),
            self.run.recipe.batch_size,
            self.run.seed,
            self.trainer.current_epoch,
            self.trainer.global_rank,
            self.trainer.world_size,
        )
        return DataLoader(self.training, batch_sampler=share)

    def val_dataloader(self) -> list[DataLoader]:
        """The held-out and the test conversations."""
        return [DataLoader(each, batch_size=self.run.recipe.batch_size) for each in self.scored]


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that are there whole or not at all, whenever the process dies."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Writes beside the old checkpoint, then puts the new one in its place."""
        del storage_options
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())


class MovableCheckpoint(ModelCheckpoint):
    """Where the run's folder was moved to, the trainer's own would forget which epoch was best."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the same files of the folder where it is now for those that it was about."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath), Path(path).name)) if path else path

        best = {here(path): score for path, score in state_dict["best_k_models"].items()}
        paths = {key: here(state_dict[key]) for key in state_dict if key.endswith("_model_path")}
        super().load_state_dict(
            state_dict | paths | {"best_k_models": best, "dirpath": self.dirpath}
        )


def check(run: Run, corpus: Corpus, source: str) -> None:
    """Before hours of training: the settings make a model, and the folder holds no other run.

    Raises:
        TypeError: If a setting of the model is not of its type.
        ValueError: If one is not in its range, or the folder holds another run.
    """
    _check_folder(run, _config(run, corpus, source, _recognizer(run, corpus)))


def train(run: Run, corpus: Corpus, source: str) -> Result:
    """Trains one model and scores it.

    The folder gets `config.json` (what was done, on which data, with which versions),
    `metrics.csv` and TensorBoard's events (the history), `best.ckpt`, `last.ckpt`, `result.json`,
    `predictions.csv` (of the test utterances), and `model`, the saved model.

    Raises:
        ValueError: If the folder holds another run, or more epochs of the one to resume.
    """
    pl.seed_everything(run.seed, verbose=False)
    training, validation = held_out(corpus, run.seed)
    recognizer = _recognizer(run, corpus)
    config = _config(run, corpus, source, recognizer)
    resumed = _check_folder(run, config)
    recognizer.fit_statistics(training)
    _write_config(run, config, resumed)
    best = MovableCheckpoint(
        run.folder,
        "best",
        monitor="val_f1",
        mode="max",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    # Not save_last, which writes no epoch but a best one (2.6).
    every = MovableCheckpoint(
        run.folder, "last", save_on_train_epoch_end=True, enable_version_counter=False
    )
    trainer = pl.Trainer(
        max_epochs=run.epochs,
        accelerator="auto",
        devices=run.devices,
        strategy="ddp" if run.devices > 1 else "auto",
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
        callbacks=[best, every, *_averaging(run.recipe)],
        enable_progress_bar=sys.stderr.isatty(),
        plugins=[AtomicCheckpoints()],
        logger=[CSVLogger(run.folder, name="", version=""), TensorBoardLogger(run.folder, "", "")],
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
    start = time.perf_counter()
    data = Data(run, training, [validation, corpus.splits["test"]])
    trainer.fit(
        recognizer, data, ckpt_path=run.folder / "last.ckpt" if resumed else None, weights_only=True
    )
    seconds = time.perf_counter() - start
    chosen = Recognizer.load_from_checkpoint(best.best_model_path, weights_only=True)
    predicted = predict(chosen, corpus.splits["test"])
    result = _score(recognizer.history, predicted, corpus, seconds)
    _write_result(run.folder, result, predicted, chosen, corpus)
    return result


def _recognizer(run: Run, corpus: Corpus) -> Recognizer:
    return Recognizer(
        run.model,
        run.preset,
        corpus.in_channels,
        list(corpus.classes),
        run.recipe.as_dict(),
        run.seed,
    )


def _averaging(recipe: Recipe) -> list[pl.Callback]:
    return [EMAWeightAveraging(decay=recipe.average)] if recipe.average else []


def predict(chosen: Recognizer, conversations: list[Conversation]) -> Tensor:
    """The predicted class of every utterance."""
    chosen.eval()
    packed = DataLoader(conversations, batch_size=chosen.recipe.batch_size)
    with torch.no_grad():
        logits = [chosen(batch.to(chosen.device)).cpu() for batch in packed]
    return torch.cat(logits).argmax(1)


def _score(
    history: list[dict[str, float]], predicted: Tensor, corpus: Corpus, seconds: float
) -> Result:
    strict = max(history, key=lambda row: row["val_f1"])  # the first of equals
    legacy = max(history, key=lambda row: row["test_f1"])
    target = torch.cat([each.y for each in corpus.splits["test"]])
    size = corpus.num_classes
    return Result(
        strict={"accuracy": strict["test_accuracy"], "f1": strict["test_f1"]},
        legacy={"accuracy": legacy["test_accuracy"], "f1": legacy["test_f1"]},
        val_f1=strict["val_f1"],
        f1=multiclass_f1_score(predicted, target, size, average="none").tolist(),
        confusion=multiclass_confusion_matrix(predicted, target, size).tolist(),
        epoch={"strict": int(strict["epoch"]), "legacy": int(legacy["epoch"])},
        seconds=seconds,
    )


@rank_zero_only
def _write_result(
    folder: Path, result: Result, predicted: Tensor, chosen: Recognizer, corpus: Corpus
) -> None:
    (folder / "result.json").write_text(json.dumps(asdict(result), indent=2) + "\n")
    guesses = iter(predicted.tolist())
    with (folder / "predictions.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["conversation", "utterance", "label", "predicted"])
        for conversation in corpus.splits["test"]:
            rows.writerows(
                [conversation.id, u, y, next(guesses)]
                for u, y in enumerate(conversation.y.tolist())
            )
    chosen.model.save_pretrained(folder / "model")


def _difference(before: object, now: object) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        both = [
            {key: each.get(key, "nothing") for key in {**before, **now}} for each in (before, now)
        ]
        differing = [key for key in both[0] if both[0][key] != both[1][key]]
        return ", ".join(f"{key} {_difference(*(each[key] for each in both))}" for key in differing)
    return f"{before} instead of {now}"


def _config(run: Run, corpus: Corpus, source: str, recognizer: Recognizer) -> dict[str, Any]:
    """What is done, on which data, with which versions."""
    _, validation = held_out(corpus, run.seed)
    model = recognizer.model
    return {
        "model": run.model,
        "preset": run.preset,
        "recipe": run.recipe.as_dict(),
        # What a preset means may change.
        "arguments": model.config if isinstance(model, MMDFN) else None,
        "seed": run.seed,
        "epochs": run.epochs,
        "devices": run.devices,
        "data": {
            "source": source,
            "fingerprint": fingerprint(corpus),
            "in_channels": corpus.in_channels,
            "classes": list(corpus.classes),
            "splits": {name: len(conversations) for name, conversations in corpus.splits.items()},
            "held_out": [each.id for each in validation],
        },
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
    }


def _check_folder(run: Run, config: Mapping[str, Any]) -> bool:
    """A run is only ever written over by the same one, or goes on; returns whether it does."""
    path, last = run.folder / "config.json", run.folder / "last.ckpt"
    resumed = run.resume and last.exists()
    if resumed:
        done = torch.load(last, weights_only=True)["epoch"] + 1
        if run.epochs < done:
            raise ValueError(
                f"epochs must be at least {done}, as many as {run.folder} has, but got "
                f"{run.epochs}."
            )
    if not resumed and not path.exists():
        return False
    before = json.loads(path.read_text())
    keys = ("model", "preset", "recipe", "data", "arguments", "seed", "devices")
    for key in keys if resumed else (*keys, "epochs"):
        old, new = before.get(key), config[key]
        if key == "data":  # the same data may lie elsewhere now
            old, new = ({**each, "source": None} for each in (old, new))
        if old != new:
            wanted = "the run to resume" if resumed else "no other run"
            raise ValueError(
                f"{run.folder} must hold {wanted}, but has one that differs in {key}: "
                f"{_difference(old, new)}; remove it, or choose another folder."
            )
    return resumed


@rank_zero_only
def _write_config(run: Run, config: Mapping[str, Any], resumed: bool) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    if not resumed:  # TensorBoard would draw both runs as one
        for events in run.folder.glob("events.out.tfevents.*"):
            events.unlink()
    text = json.dumps(config, indent=2) + "\n"
    write_atomically(run.folder / "config.json", text.encode())  # other processes read it
