"""Comparison of models: how far one is ahead of others, and what that may be by chance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from graphfusion.data.labels import LabelSpec
from graphfusion.training.columns import by_class, label_columns, labelled_rows
from graphfusion.training.metrics import GOALS
from graphfusion.training.run import Run

_DRAWS = 2000


def table(runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """Test scores of models by both protocols, as fractions.

    Args:
        runs: `{model: its runs}`, of several seeds.

    Returns:
        A row for each model, with how many `seeds` it has; for each score two columns, as in
        `strict f1` and `strict f1 std`, strict first, then legacy, then each class's F1 by strict.
        The deviation of one run is NaN.
    """
    rows = {}
    for name, each in runs.items():
        row: dict[str, float] = {"seeds": len(each)}
        scores = pd.DataFrame([_flat(run.result) for run in each])
        for score in scores:
            row[score], row[f"{score} std"] = scores[score].mean(), scores[score].std()
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").astype({"seeds": int})


def _flat(result: Mapping[str, Any]) -> dict[str, float]:
    found = {
        f"{protocol} {score}": value
        for protocol in ("strict", "legacy")
        for score, value in result[protocol].items()
    }
    return found | {f"F1 {name}": f1 for name, f1 in result["class_f1"].items()}


def percent(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of scores as text, each with its deviation if it has one.

    Fractions are in percent; a mean absolute error has its own unit.
    """
    shown = {}
    for name in frame:
        if name == "seeds":
            shown[name] = frame[name].astype(str)
        elif not name.endswith(" std"):
            spread = frame.get(f"{name} std", pd.Series(np.nan, frame.index))
            scale, digits = (1, 3) if "mae" in name.split() else (100, 1)
            shown[name] = [
                f"{scale * value:.{digits}f}"
                + ("" if np.isnan(std) else f" ± {scale * std:.{digits}f}")
                for value, std in zip(frame[name], spread, strict=True)
            ]
    return pd.DataFrame(shown, index=frame.index)


def compare(runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """How far the last model is ahead of each other one on the same test conversations.

    The score is weighted F1; of scores, the mean absolute error, of which less is better.

    Args:
        runs: `{model: its runs}`, at least two models. Runs of two models are paired by seed.

    Returns:
        A row for each other model, with `seeds`, how many both have, and, each after the name of
        the score, `f1` or `mae`: `difference`, the last model's mean less the other one's; `low`
        and `high`, of 95 % of a paired bootstrap, in which conversations are drawn with
        replacement, the same for both, because the utterances of one depend on each other; and
        `by seed` and `by seed std`, the mean and the standard deviation of the differences between
        runs of the same seed (NaN where there are too few).

    Raises:
        ValueError: If there are fewer than two models, or their runs predicted other utterances.
    """
    if len(runs) < 2:
        raise ValueError(f"runs must be of two models at least, but got {list(runs)}.")
    tables = {name: [_predictions(run) for run in each] for name, each in runs.items()}
    ours = list(runs)[-1]
    first = tables[ours][0]
    specs = {name: LabelSpec(each[0].task, tuple(each[0].classes)) for name, each in runs.items()}
    known = first[["conversation", *label_columns(specs[ours])]]
    if any(
        not other[["conversation", *label_columns(specs[name])]].equals(known)
        for name, each in tables.items()
        for other in each
    ):
        raise ValueError("runs must be on the same test utterances, but are on different ones.")
    score = GOALS[specs[ours].task].name
    names, conversation = np.unique(first["conversation"], return_inverse=True)
    rng = np.random.default_rng(0)
    draws = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), _DRAWS)
    whole = np.ones((1, len(names)), dtype=int)
    scored = {
        name: [
            _scores(each, specs[name], conversation, np.concatenate([whole, draws]))
            for each in of_model
        ]
        for name, of_model in tables.items()
    }
    lines = {}
    for name in list(runs)[:-1]:
        gain = np.mean(scored[ours], axis=0) - np.mean(scored[name], axis=0)
        low, high = np.percentile(gain[1:], [2.5, 97.5])
        by_seed = [
            float(ours_of[0] - others_of[0])
            for one, ours_of in zip(runs[ours], scored[ours], strict=True)
            for other, others_of in zip(runs[name], scored[name], strict=True)
            if one.config["seed"] == other.config["seed"]
        ]
        lines[name] = {
            "seeds": len(by_seed),
            f"{score} difference": gain[0],
            f"{score} low": low,
            f"{score} high": high,
            f"{score} by seed": pd.Series(by_seed, dtype=float).mean(),
            f"{score} by seed std": pd.Series(by_seed, dtype=float).std(),
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def _predictions(run: Run) -> pd.DataFrame:
    return labelled_rows(run.predictions, LabelSpec(run.task, tuple(run.classes)))


def _scores(
    table: pd.DataFrame, spec: LabelSpec, conversation: NDArray[Any], draws: NDArray[Any]
) -> NDArray[np.float64]:
    """The score of each draw, which says how often each conversation is in it."""
    size = draws.shape[1]

    def count(chosen: NDArray[Any], weight: NDArray[Any] | None = None) -> NDArray[Any]:
        """By conversation, and so by draw."""
        part = None if weight is None else weight[chosen]
        return draws @ np.bincount(conversation[chosen], part, size)

    if spec.task == "regression":
        every = np.full(len(table), True)
        error = (table["predicted"] - table["label"]).abs().to_numpy()
        mean: NDArray[np.float64] = count(every, error) / count(every)
        return mean
    f1, total = np.zeros(len(draws)), np.zeros(len(draws))
    for truth, guessed in zip(*(each.T for each in by_class(table, spec)), strict=True):
        both, support = count(truth & guessed), count(truth)
        f1 += 2 * both / np.maximum(support + count(guessed), 1) * support
        total += support
    found: NDArray[np.float64] = f1 / np.maximum(total, 1)
    return found
