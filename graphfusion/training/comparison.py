"""Tables of test scores, and differences between models with bootstrap intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphfusion.data.labels import LabelSpec
from graphfusion.training.columns import by_class, label_columns, labelled_rows
from graphfusion.training.folder import difference, same_but_seed
from graphfusion.training.metrics import GOALS
from graphfusion.training.run import Run

_NUM_SAMPLES = 2000  # of the bootstrap


def table(runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """Mean test scores of models over seeds by both protocols, as fractions.

    Args:
        runs: `{model: runs}`, one run for each seed.

    Returns:
        A table with a row for each model. `seeds` is its number of runs. Each score has two
        columns, such as `strict f1` and `strict f1 std`, its mean and standard deviation. The
        strict scores come first, then the legacy ones, then the strict F1 of each class. The
        deviation of a single run is NaN.

    Raises:
        ValueError: If a run has no test scores or was interrupted when continued, or the runs of a
            model do not differ in their seeds alone.
    """
    _check_runs(runs)
    rows = {}
    for name, each in runs.items():
        row: dict[str, float] = {"seeds": len(each)}
        scores = pd.DataFrame([_flatten_scores(run.result) for run in each])
        for score in scores:
            row[score], row[f"{score} std"] = (
                scores[score].mean(skipna=False),
                scores[score].std(skipna=False),
            )
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").astype({"seeds": int})


def _check_runs(runs: Mapping[str, Sequence[Run]]) -> None:
    for name, run in ((name, run) for name, each in runs.items() for run in each):
        if "strict" not in run.result:
            raise ValueError(
                f"runs must have test scores, but {name} was trained without test conversations, "
                f"in {run.folder}."
            )
        if run.result.get("epochs") != run.config.get("settings", {}).get("epochs"):
            raise ValueError(
                f"runs must be finished, but {run.folder} was continued for more epochs and "
                "interrupted: resume it."
            )
        first = runs[name][0]
        before, now = (same_but_seed(each.config) for each in (first, run))
        if before != now:
            raise ValueError(
                f"runs of one model must differ in their seeds only, but those of {name} in "
                f"{first.folder} and {run.folder} differ in {difference(now, before)}."
            )
        if sum(each.config["seed"] == run.config["seed"] for each in runs[name]) > 1:
            raise ValueError(
                f"runs of one model must have different seeds, but {name} has two with "
                f"{run.config['seed']}."
            )


def _flatten_scores(result: Mapping[str, Any]) -> dict[str, float]:
    protocols = {key: result[key] for key in ("strict", "legacy")}
    found = {f"{key} {name}": score for key in protocols for name, score in protocols[key].items()}
    return found | {f"F1 {name}": f1 for name, f1 in result["class_f1"].items()}


def percent(frame: pd.DataFrame) -> pd.DataFrame:
    """Formats a table of scores as text, "mean ± standard deviation".

    Fractions are shown in percent; the mean absolute error, in the unit of the scores, and the
    correlation as they are. A column `NAME std` is the deviation of a column `NAME`.

    Args:
        frame: A table of :func:`table` or :func:`compare`.

    Returns:
        A table of strings without the columns of deviations.
    """
    shown = {}
    for name in frame:
        if name == "seeds":
            shown[name] = frame[name].astype(str)
        elif not (name.endswith(" std") and name.removesuffix(" std") in frame):
            spread = frame.get(f"{name} std", pd.Series(np.nan, frame.index))
            # The F1 of a class, whatever its name, is a fraction.
            unit = {"mae", "corr"} & set(name.split()) and not name.startswith("F1 ")
            scale, digits = (1, 3) if unit else (100, 1)
            shown[name] = [
                f"{scale * value:.{digits}f}"
                + ("" if np.isnan(std) else f" ± {scale * std:.{digits}f}")
                for value, std in zip(frame[name], spread, strict=True)
            ]
    return pd.DataFrame(shown, index=frame.index)


def compare(runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """Differences between the last model and each other model, with bootstrap intervals.

    The score is weighted F1. For regression it is the mean absolute error, where less is better.

    Args:
        runs: `{model: runs}` of at least two models. Runs of two models are paired by seed.

    Returns:
        A table with a row for each other model, and these columns. For regression, `mae` replaces
        `f1`.

        - `seeds`: the number of seeds that both models have.
        - `f1 difference`: the mean score of the last model minus that of the other one.
        - `f1 low`, `f1 high`: its 95 % interval, by a paired bootstrap. Whole conversations are
          resampled, the same for both models, because their utterances depend on each other.
        - `f1 by seed`, `f1 by seed std`: mean and standard deviation of the differences between
          runs of the same seed; NaN if there are too few.

    Raises:
        ValueError: If there are fewer than two models, or their runs have no test labels, different
            tasks or classes, or predicted different utterances; or the runs of a model do not
            differ in their seeds alone.
    """
    if len(runs) < 2:
        raise ValueError(f"runs must have at least two models, but got {list(runs)}.")
    _check_runs(runs)
    *others, ours = runs
    spec = runs[ours][0].spec
    for name, other in ((name, run.spec) for name, each in runs.items() for run in each):
        if other != spec:
            raise ValueError(
                f"runs must be of one task and the same classes, but {name} has {other.task} of "
                f"{list(other.classes)}, and {ours} {spec.task} of {list(spec.classes)}."
            )
    tables = {
        name: [labelled_rows(run.predictions, spec) for run in each] for name, each in runs.items()
    }
    first, labels = tables[ours][0], ["conversation", *label_columns(spec)]
    if any(not other[labels].equals(first[labels]) for each in tables.values() for other in each):
        raise ValueError("runs must be on the same test utterances, but are on different ones.")
    if first.empty:
        raise ValueError("runs must have labelled test utterances, but have none.")
    score = GOALS[spec.task].name
    size, rng = first["conversation"].nunique(), np.random.default_rng(0)
    # Each row counts how often a sample contains each conversation; the first is the test set.
    samples = rng.multinomial(size, np.full(size, 1 / size), _NUM_SAMPLES)
    samples = np.concatenate([np.ones((1, size), dtype=int), samples])
    scored = {
        name: [_scores(each, spec, samples) for each in of_model]
        for name, of_model in tables.items()
    }
    by_seed = {
        name: pd.Series(
            [each[0] for each in scored[name]], [run.config["seed"] for run in of_model]
        )
        for name, of_model in runs.items()
    }
    lines = {}
    for name in others:
        gain = np.mean(scored[ours], axis=0) - np.mean(scored[name], axis=0)
        low, high = np.percentile(gain[1:], [2.5, 97.5])
        shared = by_seed[ours].index.intersection(by_seed[name].index)
        paired = by_seed[ours][shared] - by_seed[name][shared]
        lines[name] = {
            "seeds": len(shared),
            f"{score} difference": gain[0],
            f"{score} low": low,
            f"{score} high": high,
            f"{score} by seed": paired.mean(),
            f"{score} by seed std": paired.std(),
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def _scores(
    table: pd.DataFrame, spec: LabelSpec, samples: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Score of each bootstrap sample.

    Args:
        table: The predictions for labelled utterances.
        spec: The task and its classes.
        samples: The count of each conversation in each sample.
    """

    def total(values: object) -> NDArray[np.float64]:
        """Sums of values over the utterances of each sample."""
        sums = pd.DataFrame(values).groupby(table["conversation"]).sum()
        return np.asarray(samples @ sums.to_numpy(), dtype=np.float64)

    score: NDArray[np.float64]
    if spec.task == "regression":
        error = total((table["predicted"] - table["label"]).abs())
        score = (error / total(np.ones(len(table))))[:, 0]
    else:
        truth, guessed = by_class(table, spec)
        both, support = total(truth & guessed), total(truth)
        f1 = 2 * both / np.maximum(support + total(guessed), 1)
        score = (f1 * support).sum(1) / np.maximum(support.sum(1), 1)
    return score
