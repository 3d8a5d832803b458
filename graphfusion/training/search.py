"""Hyperparameter search on training conversations."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import product
from os import PathLike
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial
from sqlalchemy.pool import NullPool

from graphfusion._utils.checks import check_size
from graphfusion.datasets.corpus import Corpus
from graphfusion.training.cross_validation import cross_validate
from graphfusion.training.metrics import GOALS
from graphfusion.training.prediction import NotFiniteError
from graphfusion.training.recipes import Recipe
from graphfusion.training.seeds import fit_seeds

#: The search space of each preset in the paper (MM-DFN, section on experiments).
GRIDS: dict[str, dict[str, list[float | int]]] = {
    "iemocap": {
        "num_layers": [16, 32],
        "lr": [3e-4, 1e-4],
        "weight_decay": [1e-4, 2e-4],
        "dropout": [0.4, 0.2],
        "gamma": [0.5, 1.0],
    },
    "meld": {
        "num_layers": [16, 32, 64],
        "lr": [5e-4, 1e-3],
        "weight_decay": [1e-4, 5e-4],
        "dropout": [0.2, 0.4],
        "gamma": [0.5, 1.0],
    },
}


def search(
    corpus: Corpus,
    folder: str | PathLike[str],
    recipe: Recipe,
    grid: Mapping[str, Sequence[Any]],
    *,
    trials: int = 20,
    seeds: int = 3,
    groups: Mapping[str, Sequence[str]] | int | None = None,
    modalities: Sequence[str] | None = None,
    source: str | None = None,
) -> optuna.Study:
    """Tries combinations of a grid of settings, in a random order that is always the same.

    The score of a trial is the mean held-out score over seeds, each with its own held-out
    conversations unless the corpus has a validation split; or the mean over groups of training
    conversations that are left out in turn. Test scores are not used. A combination whose training
    diverges has no score. An interrupted search is resumed.

    Args:
        corpus: The conversations.
        folder: The output folder. It gets a folder for each search (of another corpus, recipe or
            grid, or other seeds or groups), with a folder for each combination.
        recipe: The model and the fixed settings.
        grid: `{setting: values}`.
        trials: Total number of combinations to try; all, if the grid has no more.
        seeds: Number of runs of each combination, unless there are groups.
        groups: The groups to leave out, as in :func:`cross_validate`.
        modalities: The modalities given to :meth:`Corpus.select`, saved as in :func:`fit`.
        source: The origin of the corpus, for display.

    Returns:
        Optuna's study, with `best_params` and `best_value`.

    Raises:
        TypeError: If a value of the grid is no number, string, flag or None.
        ValueError: If the training of each combination diverges, `trials` is less than 1 or than
            before, the grid is empty, a setting has no value or one twice, or is fixed by the
            recipe, or the groups are not those of a cross-validation.
    """
    check_size("trials", trials)
    if fixed := sorted(grid.keys() & recipe.changes.keys()):
        raise ValueError(f"grid must not have settings that the recipe fixes, but has {fixed}.")
    if not grid:
        raise ValueError("grid must have a setting to try, but is empty.")
    grid = {setting: list(values) for setting, values in grid.items()}
    for setting, values in grid.items():
        if not all(isinstance(value, bool | int | float | str | None) for value in values):
            raise TypeError(
                f"grid must have numbers, strings, flags or None of {setting}, but got {values}."
            )
        if not values or len(set(values)) < len(values):
            raise ValueError(f"grid must have different values of {setting}, but got {values}.")
    if isinstance(groups, Mapping):
        groups = {group: list(ids) for group, ids in groups.items()}
    goal = GOALS[corpus.task]
    name = _name(recipe, corpus, grid=grid, seeds=seeds, groups=groups)
    folder = Path(folder) / name
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        # Without a pool, whose connections nothing closes when the study is gone. The path is no
        # part of the URL, in which "?" or "{" have a meaning.
        storage=optuna.storages.RDBStorage(
            "sqlite://",
            {"poolclass": NullPool, "creator": partial(sqlite3.connect, folder / "trials.db")},
        ),
        study_name=name,
        direction="maximize" if goal.mode == "max" else "minimize",
        load_if_exists=True,
    )

    shown: dict[str, Any] = {"modalities": modalities, "source": source}

    def score(chosen: Mapping[str, Any]) -> float:
        tried = Recipe(recipe.model, recipe.preset, {**recipe.changes, **chosen})
        place = folder / "_".join(f"{key}={value}" for key, value in chosen.items())
        if groups is not None:
            build, settings = tried.build, tried.settings
            scores = cross_validate(build, corpus, place, settings, groups=groups, **shown)
            return float(scores[goal.name].mean())
        runs = fit_seeds(tried, corpus, place, range(seeds), resume=True, **shown)
        return float(mean(run.result["validation"][goal.name] for run in runs))

    combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    order = np.random.default_rng(0).permutation(len(combinations))[:trials]
    if len(study.trials) > len(order):
        raise ValueError(
            f"trials must be at least {len(study.trials)}, as many as {folder} has, but got "
            f"{trials}."
        )
    distributions = {key: CategoricalDistribution(values) for key, values in grid.items()}
    for number in order[len(study.trials) :]:
        chosen = combinations[number]
        trial = {"params": chosen, "distributions": distributions}
        try:
            study.add_trial(create_trial(**trial, value=score(chosen)))
        except NotFiniteError:
            study.add_trial(create_trial(**trial, state=TrialState.PRUNED))
    if all(trial.state == TrialState.PRUNED for trial in study.trials):
        raise ValueError(
            f"grid must have a combination whose training does not diverge, but is {grid}."
        )
    return study


def _name(recipe: Recipe, corpus: Corpus, **arguments: Any) -> str:
    """A name that no other search has, so that none takes the trials of another."""
    content = json.dumps({"recipe": asdict(recipe), "corpus": corpus.fingerprint, **arguments})
    return hashlib.sha256(content.encode()).hexdigest()[:16]
