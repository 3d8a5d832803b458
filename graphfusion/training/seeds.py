"""The same model with several seeds."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from graphfusion._utils.files import write_atomically
from graphfusion.datasets.corpus import Corpus
from graphfusion.training.fit import fit
from graphfusion.training.recipes import Recipe
from graphfusion.training.report import write_report
from graphfusion.training.run import Run

_SEEDS = 2**32  # as many as NumPy's generators take


def fit_seeds(
    recipe: Recipe,
    corpus: Corpus,
    folder: str | PathLike[str],
    seeds: Sequence[int],
    **arguments: Any,
) -> list[Run]:
    """Trains a named model once with each seed, which draws its weights, too.

    Args:
        recipe: The model and its training.
        corpus: The conversations.
        folder: Gets a folder `seed_N` for each run, and a report about all of them.
        seeds: In [0, 2**32).
        **arguments: Further ones of :func:`fit`: `resume`, `devices`, `workers`, `modalities`,
            `source`.

    Returns:
        The runs.

    Raises:
        ValueError: If a seed is out of range, or as :func:`fit`.
        OSError: If something cannot be written.
    """
    if not seeds or not all(0 <= seed < _SEEDS for seed in seeds):
        raise ValueError(f"seeds must be in [0, 2**32), at least one, but got {list(seeds)}.")
    folder, runs = Path(folder), []
    for seed in seeds:
        pl.seed_everything(seed, verbose=False)
        model = recipe.build(corpus)
        place = folder / f"seed_{seed}"
        runs.append(
            fit(model, corpus, place, recipe.settings, seed=seed, recipe=recipe, **arguments)
        )
    _write_report(runs, folder / "report.html", corpus)
    return runs


@rank_zero_only
def _write_report(runs: Sequence[Run], path: Path, corpus: Corpus) -> None:
    """About all runs; of a single one, it is its own."""
    if len(runs) == 1:
        write_atomically(path, (runs[0].folder / "report.html").read_bytes())
    else:
        write_report(runs, path, corpus)
