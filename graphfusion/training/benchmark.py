"""Benchmark of fusion modules with the same encoder, head, training and search budget."""

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from os import PathLike
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
from torch_geometric.data import Batch

from graphfusion.data.labels import labelled
from graphfusion.datasets.corpus import Corpus
from graphfusion.models.fusions import FUSIONS
from graphfusion.models.task import task_loss
from graphfusion.training.comparison import compare, table
from graphfusion.training.metrics import GOALS
from graphfusion.training.recipes import Recipe
from graphfusion.training.search import search
from graphfusion.training.seeds import fit_seeds

#: The models that are compared by default.
COMPARED = ("mmdfn", "static", *(name for name in FUSIONS if name != "no_fusion"))
#: The baseline: the same model, whose classifier gets the encoder's nodes directly.
WITHOUT = "no_fusion"
#: The search space, the same for each fusion.
GRID: dict[str, list[float | int]] = {"lr": [3e-4, 1e-3], "dropout": [0.2, 0.4]}
_TIMED_STEPS = 5


def benchmark(
    corpus: Corpus,
    folder: str | PathLike[str],
    preset: str = "iemocap",
    changes: Mapping[str, Any] | None = None,
    *,
    models: Sequence[str] = COMPARED,
    seeds: Sequence[int] = range(5),
    trials: int = 0,
    groups: Mapping[str, Sequence[str]] | int | None = None,
    modalities: Sequence[str] | None = None,
    source: str | None = None,
) -> pd.DataFrame:
    """Trains a model with each fusion, and scores them by the strict protocol.

    Finished runs are reused and interrupted ones resumed, so the table can be recomputed without
    training.

    Args:
        corpus: A corpus with splits "train" and "test".
        folder: The output folder. It gets a folder for each model, with its runs and its search.
        preset: The preset of the encoder, head and training.
        changes: Settings that replace the preset's, as in :class:`Recipe`.
        models: The models to compare, from :data:`MODELS`.
        seeds: Seeds in [0, 2**32), one run each, as in :func:`fit_seeds`.
        trials: Number of settings of a small grid to try for each model, scored on training
            conversations only, as in :func:`search`; 0: the preset's settings.
        groups: The groups of training conversations that are left out to score a setting, as in
            :func:`search`; None: one run scores it on held-out conversations.
        modalities: The modalities given to :meth:`Corpus.select`, saved as in :func:`fit`.
        source: The origin of the corpus, for display.

    Returns:
        A table with a row for each model, the one without fusion first, and these columns. For a
        corpus with scores, `mae` replaces `f1`.

        - `seeds`: the number of runs.
        - `strict f1`, `strict f1 std`: mean and standard deviation of the test score.
        - `f1 difference`: the difference from the model without fusion.
        - `f1 low`, `f1 high`: its 95 % interval, by a paired bootstrap over test conversations.
        - `f1 by seed`, `f1 by seed std`: mean and standard deviation of the differences between
          runs of the same seed, which the interval does not show.
        - `parameters`: the number of parameters.
        - `ms a step`: median milliseconds of the forward and the backward pass of one batch, in
          float32 on the CPU of this machine, which should be idle.

    Raises:
        ValueError: If there is no such model, or no labelled test conversation, or a fusion does
            not take the settings, or they fix one that is to be tried.
    """
    if not corpus.splits.get("test"):
        raise ValueError(f"corpus must have test conversations, but has {list(corpus.splits)}.")
    if not any(labelled(y).any() for y in corpus.labels("test")):
        raise ValueError("corpus must have labels in test, but has none there.")
    folder, changes = Path(folder), dict(changes or {})
    if trials and (fixed := sorted(GRID.keys() & changes.keys())):
        raise ValueError(f"changes must not have settings that trials try, but have {fixed}.")
    shown: dict[str, Any] = {"modalities": modalities, "source": source}
    names = [WITHOUT, *(name for name in models if name != WITHOUT)]
    recipes = {name: Recipe(name, preset, changes) for name in names}
    for recipe in recipes.values():
        recipe.build(corpus)  # or one would be refused after others were trained
    runs, costs = {}, {}
    for name, recipe in recipes.items():
        if trials:
            place = folder / name
            study = search(
                corpus, place, recipe, GRID, trials=trials, seeds=1, groups=groups, **shown
            )
            recipe = Recipe(name, preset, {**changes, **study.best_params})
        runs[name] = fit_seeds(recipe, corpus, folder / name, seeds, resume=True, **shown)
        costs[name] = _cost(recipe, corpus)
    score = GOALS[corpus.task].name
    found = table(runs)[["seeds", f"strict {score}", f"strict {score} std"]].copy()
    for name in names[1:]:
        difference = compare({WITHOUT: runs[WITHOUT], name: runs[name]}).loc[WITHOUT]
        for key in ("difference", "low", "high", "by seed", "by seed std"):
            found.loc[name, f"{score} {key}"] = difference[f"{score} {key}"]
    return found.join(pd.DataFrame(costs).T.astype({"parameters": int}))


def _cost(recipe: Recipe, corpus: Corpus) -> dict[str, float]:
    """Number of parameters, and median milliseconds of a forward and a backward pass."""
    model, settings = recipe.build(corpus).train(), recipe.settings
    batch = Batch.from_data_list(list(islice(corpus.splits["train"], settings.batch_size)))
    seconds = []
    for _ in range(_TIMED_STEPS):
        start = time.perf_counter()
        task_loss(model(batch), batch.y, model.task, settings.gamma).backward()
        seconds.append(time.perf_counter() - start)
    size = sum(each.numel() for each in model.parameters())
    return {"parameters": size, "ms a step": 1000 * median(seconds)}
