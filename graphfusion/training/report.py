"""A page to look at: everything about a model's runs in one HTML file that needs no other."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
import torch
from jinja2 import Environment, PackageLoader
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
)

from graphfusion._utils.files import write_atomically
from graphfusion.datasets.corpus import Corpus
from graphfusion.training import plots
from graphfusion.training.calibration import COVERAGE
from graphfusion.training.metrics import GOALS
from graphfusion.training.report_sections import parts, picture
from graphfusion.training.run import Run

_AROUND = 2  # utterances before and after one that is shown
_WORST = 10


def write_report(
    runs: Sequence[Run], path: str | PathLike[str], corpus: Corpus | None = None
) -> None:
    """Writes a page about runs of one model with different seeds.

    It has the settings, test scores by both protocols with their deviations, learning curves, the
    confusion matrix and the F1 of each class (or true and predicted scores), calibration, the ten
    utterances that the model is most wrong about, the gates, and what :func:`diagnose` measures.
    What is of one run is of the first.

    Args:
        runs: The runs.
        path: The file; if there is one, it is replaced.
        corpus: Theirs, for the gates of its longest test conversation; None: no gates.

    Raises:
        OSError: If it cannot be written.
    """
    first = runs[0]
    classes = first.classes
    goal = GOALS["classification" if classes else "regression"].name
    sections: list[dict[str, Any]] = [
        picture(
            "Learning curves",
            plots.learning_curves(runs, goal),
            "Training loss, and the score on held-out and on test conversations, by epoch.",
        )
    ]
    if "strict" in first.result:
        known = first.predictions.dropna(subset="label").reset_index(drop=True)
        if len(known):
            sections += _of_classes(known, first) if classes else _of_scores(known)
            sections.append(_worst(first.predictions, classes))
    if corpus is not None:
        sections += parts(first, corpus)
    if len(runs) > 1:
        for section in sections[1:]:
            section["title"] += f" of seed {first.config['seed']}"
    template = Environment(
        loader=PackageLoader("graphfusion.training", ""), autoescape=True, trim_blocks=True
    ).get_template("report.html")
    page = template.render(
        title=f"{_name(first)} on {first.config['data']['source'] or 'conversations'}",
        scores=_scores(runs),
        seeds=[run.config["seed"] for run in runs],
        settings={**first.config["settings"], **first.config["model"]["arguments"]},
        data=first.config["data"],
        versions=first.config["versions"],
        sections=sections,
    )
    write_atomically(path, page.encode())


def _name(run: Run) -> str:
    recipe = run.config["recipe"]
    name: str = recipe["model"] if recipe else run.config["model"]["class"]
    return name


def _scores(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """A row for each protocol: mean and deviation of each score."""
    rows = []
    for protocol in ("strict", "legacy", "validation"):
        if protocol not in runs[0].result:
            continue
        frame = pd.DataFrame([run.result[protocol] for run in runs])
        spread = frame.std() if len(runs) > 1 else None
        cells = {
            name: f"{value:.3f}" + ("" if spread is None else f" ± {spread[name]:.3f}")
            for name, value in frame.mean().items()
        }
        rows.append({"protocol": protocol, "cells": cells})
    return rows


def _of_classes(known: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
    f1, counts = run.result["class_f1"], run.confusion
    classes = list(f1)
    place = {name: number for number, name in enumerate(classes)}
    label = torch.tensor([place[name] for name in known["label"]])
    predicted = torch.tensor([place[name] for name in known["predicted"]])
    probabilities = torch.tensor(known[classes].to_numpy(dtype=float))
    size = len(classes)
    error = float(multiclass_calibration_error(probabilities, label, size, n_bins=10))
    rows = [
        [name, str(int(of)), f"{score:.3f}"]
        for (name, score), of in zip(f1.items(), counts.sum(1), strict=True)
    ]
    confidence = probabilities.amax(1).numpy()
    return [
        picture(
            "Confusion matrix",
            plots.confusion(counts, classes),
            "Test utterances of each true class (row) by predicted class (column).",
        ),
        {"title": "F1 of each class", "heading": ["class", "utterances", "F1"], "rows": rows},
        picture(
            "Calibration",
            plots.reliability(confidence, (predicted == label).numpy()),
            f"Expected calibration error {error:.3f} (ten bins): how far confidence is from the "
            "share of predictions that are right." + _scaled(run),
        ),
    ]


def _scaled(run: Run) -> str:
    """What the held-out conversations' temperature and threshold bring."""
    if (found := run.result.get("calibration")) is None:
        return ""
    return (
        f" With the temperature of the held-out conversations it is {found['error scaled']:.3f}. "
        f"Prediction sets meant to hold the true class {100 * COVERAGE:.0f} % of the time hold it "
        f"{100 * found['coverage']:.1f} % of the time, with {found['set size']:.1f} classes on "
        "average."
    )


def _of_scores(known: pd.DataFrame) -> list[dict[str, Any]]:
    figure = plots.scatter(known["label"].to_numpy(), known["predicted"].to_numpy())
    return [picture("True and predicted scores", figure, "A point for each test utterance.")]


def _worst(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """The utterances furthest from their labels, each with those around it."""
    known = table["label"].notna()
    if classes:
        columns = {name: number for number, name in enumerate(table.columns)}
        values = table.to_numpy()
        given = np.full(len(table), np.nan)
        for row in np.flatnonzero(known):
            given[row] = values[row, columns[table["label"].iloc[row]]]
        wrong = pd.Series(1 - given, index=table.index)
    else:
        wrong = (table["predicted"] - table["label"]).abs()
    rows = []
    worst = wrong[known].nlargest(_WORST).index.tolist()
    for window in _windows(worst, table["conversation"].tolist()):
        for index in window:
            each = table.loc[index]
            mark = "→" if index in worst else ""
            label = "" if pd.isna(each["label"]) else each["label"]
            far = "" if pd.isna(wrong[index]) else f"{wrong[index]:.3f}"
            shown = each["predicted"] if classes else f"{each['predicted']:.2f}"
            name, number = each["conversation"], str(each["utterance"])
            rows.append([mark, name, number, str(label), str(shown), far])
        rows.append([])
    return {
        "title": "Most wrong",
        "text": "The ten utterances (arrows) that the model is most wrong about, with those around "
        + ("them; wrong by: one less the true class's probability." if classes else "them."),
        "heading": ["", "conversation", "utterance", "true", "predicted", "wrong by"],
        "rows": rows,
    }


def _windows(places: Sequence[int], conversations: Sequence[str]) -> list[list[int]]:
    """The rows around each place, within its conversation; windows that meet are one.

    In the order of the places, a window standing where the first of its places does.
    """
    shown = {
        row
        for place in places
        for row in range(max(place - _AROUND, 0), min(place + _AROUND + 1, len(conversations)))
        if conversations[row] == conversations[place]
    }
    windows: dict[int, list[int]] = {}  # by their first rows
    for place in places:
        first = last = place
        while first - 1 in shown and conversations[first - 1] == conversations[place]:
            first -= 1
        while last + 1 in shown and conversations[last + 1] == conversations[place]:
            last += 1
        windows[first] = list(range(first, last + 1))
    return list(windows.values())
