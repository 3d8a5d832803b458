"""Sections of a report that compare predictions with labels, for each task."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from graphfusion.data.labels import LabelSpec
from graphfusion.training import plots
from graphfusion.training.calibration import COVERAGE
from graphfusion.training.columns import by_class
from graphfusion.training.report_sections import picture
from graphfusion.training.run import Run

_CONTEXT = 2  # utterances shown before and after each of the worst ones
_NUM_WORST = 10


def _classification_sections(known: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
    counts, classes = run.confusion, run.classes
    place = {name: number for number, name in enumerate(classes)}
    label = torch.tensor([place[name] for name in known["label"]])
    predicted = torch.tensor([place[name] for name in known["predicted"]])
    probabilities = torch.tensor(known[classes].to_numpy(dtype=float))
    size = len(classes)
    error = float(multiclass_calibration_error(probabilities, label, size, n_bins=10))
    confidence = probabilities.amax(1).numpy()
    return [
        picture(
            "Confusion matrix",
            plots.confusion(counts, classes),
            "Test utterances of each true class (row) by predicted class (column).",
        ),
        _f1(known, run),
        picture(
            "Calibration",
            plots.reliability(confidence, (predicted == label).numpy()),
            f"Expected calibration error {error:.3f} (ten bins): the mean difference between "
            "confidence and accuracy." + _scaled(run),
        ),
        _worst(run.predictions, classes),
    ]


def _multilabel_sections(known: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
    # Confusion matrices and confidence are defined only for one class an utterance.
    return [_f1(known, run)]


def _f1(known: pd.DataFrame, run: Run) -> dict[str, Any]:
    """Table of the F1 score and the number of utterances of each class."""
    truth, _ = by_class(known, LabelSpec(run.task, tuple(run.classes)))
    rows = [
        [name, str(int(of)), f"{score:.3f}"]
        for (name, score), of in zip(run.result["class_f1"].items(), truth.sum(0), strict=True)
    ]
    return {"title": "F1 of each class", "heading": ["class", "utterances", "F1"], "rows": rows}


def _scaled(run: Run) -> str:
    """Sentences about the calibration by temperature and prediction sets, if the run has any."""
    if (found := run.result.get("calibration")) is None:
        return ""
    return (
        " With the temperature fitted on held-out conversations, it is "
        f"{found['error scaled']:.3f}. Prediction sets with a target coverage of "
        f"{100 * COVERAGE:.0f} % contain the true class of {100 * found['coverage']:.1f} % of the "
        f"utterances, and have {found['set size']:.1f} classes on average."
    )


def _regression_sections(known: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
    figure = plots.scatter(known["label"].to_numpy(), known["predicted"].to_numpy())
    return [
        picture("True and predicted scores", figure, "A point for each test utterance."),
        _worst(run.predictions, ()),
    ]


def _worst(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Table of the utterances with the largest errors, each with its neighbours."""
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
    worst = wrong[known].nlargest(_NUM_WORST).index.tolist()
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
        "title": "Largest errors",
        "text": "The ten utterances with the largest errors (arrows), with the utterances before "
        "and after them. "
        + (
            "The error is one minus the probability of the true class."
            if classes
            else "The error is the absolute difference from the true score."
        ),
        "heading": ["", "conversation", "utterance", "true", "predicted", "error"],
        "rows": rows,
    }


def _windows(places: Sequence[int], conversations: Sequence[str]) -> list[list[int]]:
    """Windows of rows around each place, within its conversation; overlapping ones are merged.

    They are in the order of the places; a merged window is at the position of its first place.
    """
    shown = {
        row
        for place in places
        for row in range(max(place - _CONTEXT, 0), min(place + _CONTEXT + 1, len(conversations)))
        if conversations[row] == conversations[place]
    }
    windows: dict[int, list[int]] = {}  # by the first row of each
    for place in places:
        first = last = place
        while first - 1 in shown and conversations[first - 1] == conversations[place]:
            first -= 1
        while last + 1 in shown and conversations[last + 1] == conversations[place]:
            last += 1
        windows[first] = list(range(first, last + 1))
    return list(windows.values())


#: Functions that make the sections of each task from the labelled rows.
SECTIONS: dict[str, Callable[[pd.DataFrame, Run], list[dict[str, Any]]]] = {
    "classification": _classification_sections,
    "regression": _regression_sections,
    "multilabel": _multilabel_sections,
}
