"""Comparison of fusions: one encoder, head, training and budget for all of them."""

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from os import PathLike
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
from torch_geometric.data import Batch

from graphfusion.datasets.corpus import Corpus
from graphfusion.models.fusions import FUSIONS
from graphfusion.models.task import task_loss
from graphfusion.training.comparison import compare, table
from graphfusion.training.metrics import GOALS
from graphfusion.training.recipes import Recipe
from graphfusion.training.run import Run
from graphfusion.training.search import search
from graphfusion.training.seeds import fit_seeds

#: What is compared, and with what: the same model whose classifier sees the encoder's nodes.
COMPARED = ("mmdfn", "static", *(name for name in FUSIONS if name != "no_fusion"))
WITHOUT = "no_fusion"
#: What a search chooses from, the same for each fusion.
GRID: dict[str, list[float | int]] = {"lr": [3e-4, 1e-3], "dropout": [0.2, 0.4]}
_STEPS = 5


def benchmark(
    corpus: Corpus,
    folder: str | PathLike[str],
    preset: str = "iemocap",
    changes: Mapping[str, Any] | None = None,
    *,
    models: Sequence[str] = COMPARED,
    seeds: Sequence[int] = range(5),
    trials: int = 0,
    source: str | None = None,
) -> pd.DataFrame:
    """Trains a model with each fusion, and scores them by the strict protocol.

    Runs that are there already are not run again, and one that was cut off goes on, so that the
    table can be made again without training.

    Args:
        corpus: With splits "train" and "test".
        folder: Gets a folder for each model, with its runs and, with trials, its search.
        preset: Whose encoder, head and training they have.
        changes: Settings that replace the preset's, as in :class:`Recipe`.
        models: Which of :data:`MODELS` to compare.
        seeds: In [0, 2**32), as of :func:`fit_seeds`.
        trials: How many settings of a small grid to try for each model, on held-out conversations
            alone; 0: the preset's are used.
        source: Where the corpus comes from, for people to read.

    Returns:
        A row for each model, the one without fusion first: `seeds`; `strict f1` and `strict f1
        std`; `f1 difference` from the model without fusion, with `f1 low` and `f1 high` of 95 % of
        a paired bootstrap over test conversations (`mae` for `f1` where the corpus has scores);
        `parameters`; and `ms a step` of training on a batch of the preset's size, a median on this
        machine.

    Raises:
        ValueError: If there is no such model, or no test conversation.
    """
    if not corpus.splits.get("test"):
        raise ValueError(f"corpus must have test conversations, but has {list(corpus.splits)}.")
    folder, changes = Path(folder), dict(changes or {})
    names = [WITHOUT, *(name for name in models if name != WITHOUT)]
    recipes = {name: Recipe(name, preset, changes) for name in names}
    runs: dict[str, list[Run]] = {}
    rows = {}
    for name, recipe in recipes.items():
        if trials:
            study = search(corpus, folder / name, recipe, GRID, trials=trials, seeds=1)
            recipe = Recipe(name, preset, {**changes, **study.best_params})
        runs[name] = fit_seeds(recipe, corpus, folder / name, seeds, resume=True, source=source)
        rows[name] = _row(runs, name) | _cost(recipe, corpus)
    return pd.DataFrame.from_dict(rows, orient="index").astype({"seeds": int, "parameters": int})


def _row(runs: Mapping[str, Sequence[Run]], name: str) -> dict[str, float]:
    """Scores of one model, and how far it is ahead of the one without fusion."""
    (scores,) = table({name: runs[name]}).to_dict("records")
    score = GOALS[runs[name][0].task].name
    row = {key: scores[key] for key in ("seeds", f"strict {score}", f"strict {score} std")}
    if name != WITHOUT:
        (ahead,) = compare({WITHOUT: runs[WITHOUT], name: runs[name]}).to_dict("records")
        names = [f"{score} {key}" for key in ("difference", "low", "high")]
        row |= {key: ahead[key] for key in names}
    return row


def _cost(recipe: Recipe, corpus: Corpus) -> dict[str, float]:
    """The number of parameters, and the time of a training step."""
    model, settings = recipe.build(corpus).train(), recipe.settings
    batch = Batch.from_data_list(list(islice(corpus.splits["train"], settings.batch_size)))
    seconds = []
    for _ in range(_STEPS):
        start = time.perf_counter()
        task_loss(model(batch), batch.y, model.task, settings.gamma).backward()
        seconds.append(time.perf_counter() - start)
    size = sum(each.numel() for each in model.parameters())
    return {"parameters": size, "ms a step": 1000 * median(seconds)}
