"""Sections of a report: how predictions differ from labels, for each task."""

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

_AROUND = 2  # utterances before and after one that is shown
_WORST = 10


def _of_classes(known: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
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
            f"Expected calibration error {error:.3f} (ten bins): how far confidence is from the "
            "share of predictions that are right." + _scaled(run),
        ),
        _worst(run.predictions, classes),
    ]


def _of_several(known: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
    # What is true of an utterance is no single class: no confusion, and no class to be sure of.
    return [_f1(known, run)]


def _f1(known: pd.DataFrame, run: Run) -> dict[str, Any]:
    truth, _ = by_class(known, LabelSpec(run.task, tuple(run.classes)))
    rows = [
        [name, str(int(of)), f"{score:.3f}"]
        for (name, score), of in zip(run.result["class_f1"].items(), truth.sum(0), strict=True)
    ]
    return {"title": "F1 of each class", "heading": ["class", "utterances", "F1"], "rows": rows}


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


def _of_scores(known: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
    figure = plots.scatter(known["label"].to_numpy(), known["predicted"].to_numpy())
    return [
        picture("True and predicted scores", figure, "A point for each test utterance."),
        _worst(run.predictions, ()),
    ]


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


#: By task, the sections of the rows with labels.
SECTIONS: dict[str, Callable[[pd.DataFrame, Run], list[dict[str, Any]]]] = {
    "classification": _of_classes,
    "regression": _of_scores,
    "multilabel": _of_several,
}
