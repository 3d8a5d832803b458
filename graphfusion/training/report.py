"""A page to look at: everything about a model's runs in one HTML file that needs no other."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader

from graphfusion._utils.files import write_atomically
from graphfusion.data.labels import LabelSpec
from graphfusion.datasets.corpus import Corpus
from graphfusion.training import plots
from graphfusion.training.columns import labelled_rows
from graphfusion.training.metrics import GOALS
from graphfusion.training.report_predictions import SECTIONS
from graphfusion.training.report_sections import parts, picture
from graphfusion.training.run import Run


def write_report(
    runs: Sequence[Run], path: str | PathLike[str], corpus: Corpus | None = None
) -> None:
    """Writes a page about runs of one model with different seeds.

    It has the settings, test scores by both protocols with their deviations, learning curves, the
    confusion matrix and the F1 of each class (or true and predicted scores), calibration, the ten
    utterances that the model is most wrong about, the gates, and what :func:`diagnose` measures.
    Of several classes at once it has the F1 of each, without matrix, calibration and utterances.
    What is of one run is of the first.

    Args:
        runs: The runs.
        path: The file; if there is one, it is replaced.
        corpus: Theirs, for the gates of its longest test conversation; None: no gates.

    Raises:
        OSError: If it cannot be written.
    """
    first = runs[0]
    spec = LabelSpec(first.task, tuple(first.classes))
    goal = GOALS[spec.task].name
    sections: list[dict[str, Any]] = [
        picture(
            "Learning curves",
            plots.learning_curves(runs, goal),
            "Training loss, and the score on held-out and on test conversations, by epoch.",
        )
    ]
    if "strict" in first.result:
        known = labelled_rows(first.predictions, spec)
        if len(known):
            sections += SECTIONS[spec.task](known, first)
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
