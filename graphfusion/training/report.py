"""HTML report about the runs of a model, in one self-contained file."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader

from graphfusion._utils.files import write_atomically
from graphfusion.datasets.corpus import Corpus
from graphfusion.training import plots
from graphfusion.training.columns import labelled_rows
from graphfusion.training.metrics import GOALS
from graphfusion.training.report_predictions import SECTIONS
from graphfusion.training.report_sections import model_sections, picture
from graphfusion.training.run import Run

_TEMPLATE = Environment(
    loader=PackageLoader("graphfusion.training", ""), autoescape=True, trim_blocks=True
).get_template("report.html")


def write_report(
    runs: Sequence[Run], path: str | PathLike[str], corpus: Corpus | None = None
) -> None:
    """Writes an HTML report about runs of one model with different seeds.

    It has test scores by both protocols, learning curves and the settings. The other sections are
    about the first run, and depend on the task:

    - Classification: the confusion matrix, the F1 of each class, calibration, and the ten
      utterances with the largest errors.
    - Multilabel: the F1 of each class.
    - Regression: true and predicted scores, and the ten utterances with the largest errors.
    - With a corpus, and a named model or an :class:`MMDFN`: the gates on its longest test
      conversation, and the results of :func:`diagnose`.

    Args:
        runs: The runs.
        path: The file to write; an existing one is replaced.
        corpus: The corpus of the runs; None: the report has no gates and no diagnosis.

    Raises:
        OSError: If the file cannot be written.
    """
    first = runs[0]
    goal = GOALS[first.task].name
    sections: list[dict[str, Any]] = [
        picture(
            "Learning curves",
            plots.learning_curves(runs, goal),
            "Training loss, and the score on held-out and on test conversations, by epoch.",
        )
    ]
    if "strict" in first.result:
        known = labelled_rows(first.predictions, first.spec)
        if len(known):
            sections += SECTIONS[first.task](known, first)
    if corpus is not None:
        sections += model_sections(first, corpus)
    if len(runs) > 1:
        for section in sections[1:]:
            section["title"] += f" of seed {first.config['seed']}"
    page = _TEMPLATE.render(
        title=f"{first.model_name} on {first.config['data']['source'] or 'conversations'}",
        scores=_scores(runs),
        seeds=[run.config["seed"] for run in runs],
        settings=first.described,
        data=first.config["data"],
        versions=first.config["versions"],
        sections=sections,
    )
    write_atomically(path, page.encode())


def _scores(runs: Sequence[Run]) -> pd.DataFrame:
    """A row for each protocol, with the mean and standard deviation of each score."""
    rows = {}
    for protocol in ("strict", "legacy", "validation"):
        if protocol in runs[0].result:
            frame = pd.DataFrame([run.result[protocol] for run in runs])
            rows[protocol] = frame.mean(skipna=False).map("{:.3f}".format)
            if len(runs) > 1:
                rows[protocol] += frame.std(skipna=False).map(" ± {:.3f}".format)
    return pd.DataFrame(rows).T.reset_index(names="protocol")
