"""Scores over seeds, as a table: mean and standard deviation, both protocols, F1 by class."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_f1_score

from experiment.training import Result
from graphfusion.datasets import Corpus

Column = tuple[str, Callable[[Result], float]]


def columns(classes: Sequence[str]) -> list[Column]:
    """What the table shows of a run."""

    def f1_of(k: int) -> Callable[[Result], float]:
        return lambda result: result.f1[k]

    return [
        ("strict acc", lambda result: result.strict["accuracy"]),
        ("strict F1", lambda result: result.strict["f1"]),
        ("legacy acc", lambda result: result.legacy["accuracy"]),
        ("legacy F1", lambda result: result.legacy["f1"]),
        *((f"F1 {name}", f1_of(k)) for k, name in enumerate(classes)),
    ]


def cell(values: Sequence[float]) -> str:
    """Mean and, of several, standard deviation, in percent."""
    if len(values) == 1:
        return f"{100 * values[0]:.1f}"
    return f"{100 * mean(values):.1f} ± {100 * stdev(values):.1f}"


def table(classes: Sequence[str], results: dict[str, list[Result]]) -> list[list[str]]:
    """A heading, and a row for every model."""
    shown = columns(classes)
    rows = [
        [name, str(len(runs)), *(cell([value(run) for run in runs]) for _, value in shown)]
        for name, runs in results.items()
    ]
    return [["model", "seeds", *(name for name, _ in shown)], *rows]


def show(rows: Sequence[Sequence[str]]) -> str:
    """The table as aligned text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{entry:{width}}" for entry, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The table as Markdown."""
    rule = ["---"] * len(rows[0])
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], rule, *rows[1:]])


def compare(folders: dict[str, list[Path]], num_classes: int) -> list[list[str]]:
    """How much the last model is ahead of each other one, by a paired bootstrap: heading and rows.

    Weighted F1 is the mean over a model's runs; conversations are drawn with replacement, the same
    for both models, because the utterances of one depend on each other.
    """
    tables = {name: [_predictions(path) for path in paths] for name, paths in folders.items()}
    *others, ours = tables
    first = tables[ours][0]
    rows_of = [
        np.flatnonzero(first["conversation"] == conversation)
        for conversation in np.unique(first["conversation"])
    ]
    rng = np.random.default_rng(0)
    draws = [
        np.concatenate([rows_of[i] for i in rng.integers(len(rows_of), size=len(rows_of))])
        for _ in range(2000)
    ]
    scores = {name: _bootstrap(tables[name], draws, num_classes) for name in tables}
    lines = []
    for name in others:
        gain = 100 * (scores[ours] - scores[name])
        low, high = np.percentile(gain, [2.5, 97.5])
        lines.append([name, f"{gain.mean():+.1f}", f"{low:+.1f} to {high:+.1f}"])
    return [[f"{ours} against", "strict F1", "95 % of draws"], *lines]


def _predictions(folder: Path) -> dict[str, NDArray[Any]]:
    with (folder / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {
        "conversation": np.array([row["conversation"] for row in rows]),
        "label": np.array([int(row["label"]) for row in rows]),
        "predicted": np.array([int(row["predicted"]) for row in rows]),
    }


def _bootstrap(
    runs: Sequence[dict[str, NDArray[Any]]], draws: Sequence[NDArray[Any]], num_classes: int
) -> NDArray[Any]:
    """Weighted F1 of each draw, mean over the runs."""
    scores = np.zeros(len(draws))
    for run in runs:
        pairs = run["label"] * num_classes + run["predicted"]
        for i, rows in enumerate(draws):
            counts = np.bincount(pairs[rows], minlength=num_classes**2).reshape(num_classes, -1)
            truth, guessed = counts.sum(1), counts.sum(0)
            f1 = 2 * counts.diagonal() / np.maximum(truth + guessed, 1)
            scores[i] += (f1 * truth).sum() / truth.sum() / len(runs)
    return scores


def majority(corpus: Corpus) -> Result:
    """Always predicting the most frequent class of the training conversations."""
    labels = torch.cat([each.y for each in corpus.splits["train"]])
    target = torch.cat([each.y for each in corpus.splits["test"]])
    guess = labels.mode().values.expand_as(target)
    size = corpus.num_classes
    scores = {
        "accuracy": float((guess == target).float().mean()),
        "f1": float(multiclass_f1_score(guess, target, size, average="weighted")),
    }
    f1 = multiclass_f1_score(guess, target, size, average="none").tolist()
    return Result(scores, scores, scores["f1"], f1, [], {}, 0.0)
