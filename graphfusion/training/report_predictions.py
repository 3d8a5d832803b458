"""Sections of a report that compare predictions with labels, for each task."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from graphfusion.training import plots
from graphfusion.training.calibration import COVERAGE
from graphfusion.training.columns import by_class
from graphfusion.training.report_sections import picture
from graphfusion.training.run import Run

_CONTEXT = 2  # utterances shown before and after each of the worst ones
_NUM_WORST = 10


def _classification_sections(known: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
    table, classes = run.predictions, run.classes
    sections = [
        picture(
            "Confusion matrix",
            plots.confusion(run.confusion, classes),
            "Test utterances of each true class (row) by predicted class (column).",
        ),
        *_multilabel_sections(known, run),
    ]
    if (found := run.result.get("calibration")) is not None:
        confidence = known[classes].max(axis=1).to_numpy()
        figure = plots.reliability(confidence, (known["predicted"] == known["label"]).to_numpy())
        text = (
            f"Expected calibration error {found['error']:.3f} (ten bins): the mean difference "
            "between confidence and accuracy. With the temperature fitted on held-out "
            f"conversations, it is {found['error scaled']:.3f}. Prediction sets with a target "
            f"coverage of {100 * COVERAGE:.0f} % contain the true class of "
            f"{100 * found['coverage']:.1f} % of the utterances, and have "
            f"{found['set size']:.1f} classes on average."
        )
        sections.append(picture("Calibration", figure, text))
    truth, _ = by_class(table, run.spec)
    true = pd.Series(np.where(truth, table[classes], 0).sum(1), table.index)
    wrong = (1 - true).where(table["label"].notna())
    return [*sections, _worst(table, wrong, "one minus the probability of the true class")]


def _multilabel_sections(known: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
    """The F1 score and the number of utterances of each class.

    Confusion matrices and confidence are defined only for one class an utterance.
    """
    truth, _ = by_class(known, run.spec)
    f1 = pd.DataFrame(run.result["class_f1"].items(), columns=["class", "F1"])
    f1.insert(1, "utterances", truth.sum(0))
    return [{"title": "F1 of each class", "table": f1}]


def _regression_sections(known: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
    figure = plots.scatter(known["label"].to_numpy(), known["predicted"].to_numpy())
    table = run.predictions
    wrong = (table["predicted"] - table["label"]).abs()
    return [
        picture("True and predicted scores", figure, "A point for each test utterance."),
        _worst(table, wrong, "the absolute difference from the true score"),
    ]


def _worst(table: pd.DataFrame, wrong: "pd.Series[float]", error: str) -> dict[str, Any]:
    """Section about the utterances with the largest errors, each with its neighbours.

    Args:
        table: The predictions.
        wrong: The error of each; NaN without a label.
        error: What the error is.
    """
    worst = wrong.nlargest(_NUM_WORST).index.tolist()
    shown = table[["conversation", "utterance", "label", "predicted"]].assign(error=wrong)
    shown = shown.astype(object).where(shown.notna(), "").rename(columns={"label": "true"})
    shown.insert(0, "", ["→" if index in worst else "" for index in table.index])
    gap = pd.DataFrame("", [0], shown.columns)
    windows = _windows(worst, table["conversation"].tolist())
    return {
        "title": "Largest errors",
        "text": "The ten utterances with the largest errors (arrows), with the utterances before "
        f"and after them. The error is {error}.",
        "table": pd.concat([part for rows in windows for part in (shown.loc[rows], gap)]),
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
    windows: list[list[int]] = []
    for row in sorted(shown):
        if row - 1 in shown and conversations[row - 1] == conversations[row]:
            windows[-1].append(row)
        else:
            windows.append([row])
    return sorted(windows, key=lambda rows: min(places.index(row) for row in rows if row in places))


#: Functions that make the sections of each task from the labelled rows.
SECTIONS: dict[str, Callable[[pd.DataFrame, Run], list[dict[str, Any]]]] = {
    "classification": _classification_sections,
    "regression": _regression_sections,
    "multilabel": _multilabel_sections,
}
