"""Training of a named model with several seeds."""

from collections.abc import Sequence
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from graphfusion.datasets.corpus import Corpus
from graphfusion.training.fit import fit
from graphfusion.training.recipes import Recipe
from graphfusion.training.report import write_report
from graphfusion.training.run import Run

_NUM_SEEDS = 2**32  # the limit of NumPy's generators


def fit_seeds(
    recipe: Recipe,
    corpus: Corpus,
    folder: str | PathLike[str],
    seeds: Sequence[int],
    **arguments: Any,
) -> list[Run]:
    """Trains a named model once for each seed, which also determines the initial weights.

    Args:
        recipe: The model and its training settings.
        corpus: The conversations.
        folder: The output folder. It gets a folder `seed_N` for each run, and a report about all.
        seeds: Seeds in [0, 2**32).
        **arguments: Other arguments of :func:`fit`: `resume`, `devices`, `workers`, `modalities`
            and `source`.

    Returns:
        The runs, in the order of the seeds.

    Raises:
        TypeError: If a seed is not an integer.
        ValueError: If a seed is out of range or given twice, or for the reasons of :func:`fit`.
        OSError: If a file cannot be written.
    """
    if odd := [seed for seed in seeds if not isinstance(seed, Integral)]:
        raise TypeError(f"seeds must be integers, but got {odd}.")
    seeds = [int(seed) for seed in seeds]  # those of NumPy are of its own types
    if not seeds or not all(0 <= seed < _NUM_SEEDS for seed in seeds):
        raise ValueError(f"seeds must be in [0, 2**32), at least one, but got {seeds}.")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be different, but got {seeds}.")
    folder, runs = Path(folder), []
    for seed in seeds:
        pl.seed_everything(seed, verbose=False)
        model, place = recipe.build(corpus), folder / f"seed_{seed}"
        run = fit(model, corpus, place, recipe.settings, seed=seed, recipe=recipe, **arguments)
        runs.append(run)
    rank_zero_only(write_report)(runs, folder / "report.html", corpus)
    return runs
