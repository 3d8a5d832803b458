"""Search of settings, on held-out conversations."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from statistics import mean
from typing import Any

import optuna
import pytorch_lightning as pl

from graphfusion.datasets.corpus import Corpus
from graphfusion.training.fit import fit
from graphfusion.training.metrics import GOALS
from graphfusion.training.recipes import Recipe

#: What the settings of each preset were tuned over (MM-DFN, section on experiments).
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
) -> optuna.Study:
    """Searches a grid of settings by Optuna's tree-structured Parzen estimator.

    A trial's score is the mean held-out score over several seeds, each of which holds out others;
    no test score is looked at. A search that was cut off goes on where it was.

    Args:
        corpus: The conversations.
        folder: Gets a folder for each search of the same corpus, epochs and seeds.
        recipe: What stays the same.
        grid: `{setting: values}`.
        trials: How many settings to try in all.
        seeds: How many runs of each.

    Returns:
        Optuna's study, with `best_params` and `best_value`.
    """
    goal = GOALS[corpus.task]
    name = f"{corpus.fingerprint[:16]}_{recipe.settings.epochs}_epochs_{seeds}_seeds"
    folder = Path(folder) / name
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'trials.db'}",
        study_name=name,
        direction="maximize" if goal.mode == "max" else "minimize",
        load_if_exists=True,
    )

    def score(trial: optuna.Trial) -> float:
        chosen = {key: trial.suggest_categorical(key, list(grid[key])) for key in grid}
        tried = Recipe(recipe.model, recipe.preset, {**recipe.changes, **chosen})
        scores = []
        for seed in range(seeds):
            pl.seed_everything(seed, verbose=False)
            place = folder / f"trial_{trial.number}" / f"seed_{seed}"
            run = fit(tried.build(corpus), corpus, place, tried.settings, seed=seed, recipe=tried)
            scores.append(run.result["validation"][goal.name])
        return float(mean(scores))

    done = sum(trial.state == optuna.trial.TrialState.COMPLETE for trial in study.trials)
    for number in range(done, trials):
        # Whether or not it was cut off, the same search: a sampler does not go on where it was.
        study.sampler = optuna.samplers.TPESampler(seed=number)
        study.optimize(score, n_trials=1)
    return study
