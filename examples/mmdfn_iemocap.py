"""Trains and evaluates MM-DFN (Hu et al., ICASSP 2022) on conversations.

    python examples/mmdfn_iemocap.py                            synthetic conversations
    python examples/mmdfn_iemocap.py --features iemocap.npz     real ones

Published for IEMOCAP, 6-way, with the authors' features and the epoch picked by its test score:
accuracy 68.21, weighted F1 68.18. Here, the epoch is picked on held-out training conversations.
"""

import argparse
import json
import logging
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from graphfusion import MMDFN, Conversation, Standardize, focal_loss
from graphfusion.datasets import Corpus, load, synthetic


@dataclass(frozen=True)
class Recipe:
    """How a published preset was trained."""

    lr: float
    weight_decay: float
    gamma: float
    class_weights: bool
    batch_size: int = 32


RECIPES = {
    "iemocap": Recipe(lr=3e-4, weight_decay=1e-4, gamma=0.5, class_weights=True),
    "meld": Recipe(lr=5e-4, weight_decay=1e-4, gamma=0.5, class_weights=False),
}


class WithoutContext(torch.nn.Module):
    """MM-DFN without context, speakers, graph and fusion: it sees one utterance at a time."""

    def __init__(self, in_channels: dict[str, int], num_classes: int, channels: int = 200) -> None:
        super().__init__()
        self.projections = torch.nn.ModuleList(
            torch.nn.Linear(size, channels) for size in in_channels.values()
        )
        self.dropout = torch.nn.Dropout(0.4)
        self.classifier = torch.nn.Linear(channels * len(in_channels), num_classes)

    def forward(self, features: dict[str, Tensor], *_: Tensor) -> Tensor:
        """Returns logits; everything but the features is ignored."""
        pairs = zip(self.projections, features.values(), strict=True)
        x = torch.cat([projection(value) for projection, value in pairs], -1)
        logits: Tensor = self.classifier(self.dropout(x).relu())
        return logits


class Recognizer(pl.LightningModule):
    """Standardisation, a model, its loss and its scores."""

    def __init__(
        self,
        in_channels: dict[str, int],
        classes: Sequence[str],
        preset: str,
        context: bool,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.classes = tuple(classes)
        self.recipe = RECIPES[preset]
        self.standardize = Standardize(in_channels)
        self.model: torch.nn.Module
        if context:
            try:
                self.model = MMDFN.from_preset(preset, in_channels, len(classes))
            except ValueError:  # it knows none of these modalities, so they are all treated alike
                every = {"context": list(in_channels), "speaker_weights": {}}
                self.model = MMDFN.from_preset(preset, in_channels, len(classes), **every)
        else:
            self.model = WithoutContext(in_channels, len(classes))
        self.register_buffer("class_weights", torch.ones(len(classes)))
        self.val_f1 = MulticlassF1Score(len(classes), average="weighted")
        self.test_scores = MetricCollection(
            {
                "accuracy": MulticlassAccuracy(len(classes), average="micro"),
                "weighted F1": MulticlassF1Score(len(classes), average="weighted"),
                "F1": MulticlassF1Score(len(classes), average="none"),
            }
        )

    def fit_statistics(self, conversations: Sequence[Conversation]) -> None:
        """Takes what is known of the training conversations before training."""
        self.standardize.fit(conversations)
        if self.recipe.class_weights:
            labels = torch.cat([each.y for each in conversations])
            counts = labels.bincount(minlength=len(self.classes))
            self.class_weights = len(labels) / counts.clamp_min(1)

    def forward(self, batch: Batch) -> Tensor:
        """Returns the logits of a batch of conversations."""
        features = self.standardize(batch.features)
        logits: Tensor = self.model(features, batch.speaker, batch.ptr, batch.present)
        return logits

    def training_step(self, batch: Batch) -> Tensor:
        """The loss of one batch."""
        return focal_loss(self(batch), batch.y, self.recipe.gamma, self.class_weights)

    def validation_step(self, batch: Batch) -> None:
        """Scores one batch of held-out conversations."""
        self.val_f1(self(batch), batch.y)
        self.log("val_f1", self.val_f1, prog_bar=True, batch_size=len(batch.y))

    def test_step(self, batch: Batch) -> None:
        """Scores one batch of test conversations."""
        self.test_scores.update(self(batch), batch.y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, as published."""
        return torch.optim.Adam(
            self.parameters(), lr=self.recipe.lr, weight_decay=self.recipe.weight_decay
        )


def held_out(corpus: Corpus, seed: int) -> tuple[list[Conversation], list[Conversation]]:
    """Conversations to train on, and those to pick the epoch on: a split, or a tenth of "train"."""
    train = corpus.splits["train"]
    for name in ("dev", "val", "valid", "validation"):
        if corpus.splits.get(name):
            return train, corpus.splits[name]
    if len(train) < 2:
        raise SystemExit("There must be at least two training conversations to hold one out.")
    order = random.Random(seed).sample(range(len(train)), len(train))  # noqa: S311
    share = max(1, len(train) // 10)
    return [train[i] for i in order[share:]], [train[i] for i in order[:share]]


def default_modalities(corpus: Corpus) -> list[str]:
    """All modalities, with two habits of this project's own feature files.

    Prosody is joined to audio; and `text_minilm` replaces `text`, whose released features were
    trained on the training labels.
    """
    names = list(corpus.in_channels)
    if {"audio", "prosody"} <= set(names):
        names[names.index("audio")] = "audio+prosody"
        names.remove("prosody")
    if {"text", "text_minilm"} <= set(names):
        names.remove("text")
    return names


def train(
    corpus: Corpus, context: bool, options: argparse.Namespace
) -> tuple[dict[str, Tensor], Path]:
    """Trains one model and scores the epoch that does best on held-out conversations.

    Returns:
        The test scores and the checkpoint.
    """
    pl.seed_everything(options.seed, verbose=False)
    source = options.features.stem if options.features else "synthetic"
    folder = options.output / source / ("mmdfn" if context else "without_context")
    training, validation = held_out(corpus, options.seed)
    arguments: dict[str, Any] = {
        "in_channels": corpus.in_channels,
        "classes": list(corpus.classes),
        "preset": options.preset,
        "context": context,
    }
    recognizer = Recognizer(**arguments)
    recognizer.fit_statistics(training)
    best = ModelCheckpoint(
        folder, "best", monitor="val_f1", mode="max", enable_version_counter=False
    )
    trainer = pl.Trainer(
        max_epochs=options.epochs,
        accelerator="auto",
        devices=1,
        callbacks=[best, TQDMProgressBar(refresh_rate=5)],
        logger=CSVLogger(folder, name="", version=""),
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
    size = recognizer.recipe.batch_size
    trainer.fit(
        recognizer,
        DataLoader(training, batch_size=size, shuffle=True),
        DataLoader(validation, batch_size=size),
    )
    test = DataLoader(corpus.splits["test"], batch_size=size)
    trainer.test(recognizer, test, ckpt_path="best", verbose=False, weights_only=True)
    settings = arguments | {
        "seed": options.seed,
        "epochs": options.epochs,
        "features": options.features and str(options.features),
        "held_out": [each.id for each in validation],
    }
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    return recognizer.test_scores.compute(), Path(best.best_model_path)


def majority(corpus: Corpus) -> dict[str, Tensor]:
    """The scores of always predicting the most frequent class of the training conversations."""
    labels = torch.cat([each.y for each in corpus.splits["train"]])
    target = torch.cat([each.y for each in corpus.splits["test"]])
    scores = Recognizer(corpus.in_channels, corpus.classes, "iemocap", context=False).test_scores
    scores.update(labels.mode().values.expand_as(target), target)
    return scores.compute()


def show(corpus: Corpus, rows: dict[str, dict[str, Tensor]]) -> None:
    """Prints a table of test scores in percent."""
    width = max(map(len, rows))
    heads = ["accuracy", "weighted F1", *(f"F1 {name}" for name in corpus.classes)]
    print("Test scores in %, the epoch picked on held-out conversations")
    print(" " * width, *heads, sep="  ")
    for name, scores in rows.items():
        values = [scores["accuracy"], scores["weighted F1"], *scores["F1"]]
        cells = (f"{100 * float(v):{len(h)}.1f}" for h, v in zip(heads, values, strict=True))
        print(f"{name:{width}}", *cells, sep="  ")


def main(arguments: Sequence[str] | None = None) -> dict[str, dict[str, Tensor]]:
    """Runs the example and returns what it prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--features",
        type=Path,
        help="a .npz or pickled feature file, with a train, a test and perhaps a dev or val split",
    )
    parser.add_argument(
        "--modalities",
        type=lambda names: names.split(","),
        help="which, in which order, e.g. text,audio+prosody (+ joins two into one)",
    )
    parser.add_argument("--preset", choices=RECIPES, default="iemocap", help="published settings")
    parser.add_argument("--epochs", type=int, default=30, help="how many to choose from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("runs"), help="folder to write to")
    options = parser.parse_args(arguments)
    if options.epochs < 1:
        parser.error(f"--epochs must be at least 1, but got {options.epochs}.")
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*LeafSpec.*")  # the trainer's own (2.6)

    try:
        corpus = load(options.features) if options.features else synthetic()
        corpus = corpus.select(options.modalities or default_modalities(corpus))
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if not corpus.splits.get("test"):
        parser.error(f"{options.features} must have a test split, but has {list(corpus.splits)}.")
    print(corpus)
    rows = {"majority class": majority(corpus)}
    rows["without context"], _ = train(corpus, context=False, options=options)
    rows["MM-DFN"], checkpoint = train(corpus, context=True, options=options)
    show(corpus, rows)
    print(f"Saved: {checkpoint} and {checkpoint.with_name('config.json')}")
    return rows


if __name__ == "__main__":
    main()
