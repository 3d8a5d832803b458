"""Implementation of the subcommands on files and folders."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pytorch_lightning.utilities import rank_zero_only

from graphfusion._utils.files import check_output, write_atomically
from graphfusion.datasets import Corpus, load
from graphfusion.datasets._load import TABLES, detect
from graphfusion.training import (
    Recipe,
    Run,
    benchmark,
    by_prefix,
    compare,
    cross_validate,
    fit_seeds,
    load_model,
    percent,
    predict,
    search,
    table,
)
from graphfusion.training.benchmark import COMPARED
from graphfusion.training.calibration import Calibration
from graphfusion.training.run import about_model
from graphfusion.training.search import GRIDS


@rank_zero_only
def say(text: object) -> None:
    """Prints a line, in the main process only."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def open_corpus(file: Path, modalities: Sequence[str] | None) -> Corpus:
    """Loads a corpus from a file, with the given modalities; None: all."""
    corpus = load(file)
    return corpus if modalities is None else corpus.select(modalities)


def open_for_model(model: Path, file: Path, split: str | None) -> Corpus:
    """Loads a corpus from a file, with the modalities that the model was trained on.

    If `split` is None, a table needs no labels or splits.
    """
    modalities = about_model(model).get("modalities")
    if split is None and detect(file) in TABLES:
        corpus = load(file, label=None, split=None)
        return corpus if modalities is None else corpus.select(modalities)
    return open_corpus(file, modalities)


def train_file(
    file: Path,
    output: Path,
    model: str,
    preset: str,
    modalities: Sequence[str] | None,
    settings: Mapping[str, Any],
    seeds: int,
    seed: int,
    resume: bool,
    devices: int,
    workers: int,
) -> None:
    """Trains a model on a file with each seed, and prints the scores."""
    recipe = Recipe(model, preset, settings)
    corpus = open_corpus(file, modalities)
    say(corpus)
    folder = output / file.stem / model
    runs = fit_seeds(
        recipe,
        corpus,
        folder,
        range(seed, seed + seeds),
        resume=resume,
        devices=devices,
        workers=workers,
        modalities=modalities,
        source=file.name,
    )
    if "strict" in runs[0].result:
        say(percent(table({model: runs})).to_markdown(disable_numparse=True))
    say(f"model: {runs[0].folder / 'model'}\nreport: {folder / 'report.html'}")


def predict_file(
    model: Path, file: Path, output: Path, split: str | None, calibrated: bool
) -> None:
    """Writes a table with a row for each utterance."""
    check_output("output", output, (".csv", ".parquet"), file)
    loaded = load_model(model)
    table = predict(loaded, open_for_model(model, file, split), split)
    if calibrated:
        if (found := about_model(model).get("calibration")) is None:
            raise ValueError(f"calibrated must not be set: {model} has no calibration.")
        table = Calibration(**found).apply(table, loaded.class_names)
    write_table(table, output)
    say(f"predictions: {output}")


def cross_validate_file(
    file: Path,
    output: Path,
    model: str,
    preset: str,
    modalities: Sequence[str] | None,
    settings: Mapping[str, Any],
    folds: int,
    prefix: int | None,
) -> None:
    """Cross-validates a model, and prints the scores of each group."""
    recipe = Recipe(model, preset, settings)
    corpus = open_corpus(file, modalities)
    groups = folds if prefix is None else by_prefix(corpus, prefix)
    kind = f"folds_{folds}" if prefix is None else f"prefix_{prefix}"
    words = "_".join(f"{key}={value}" for key, value in settings.items()) or "preset"
    folder = output / file.stem / kind / f"{model}_{preset}" / words
    scores = cross_validate(
        recipe.build, corpus, folder, recipe.settings, groups=groups, source=file.name
    )
    say((100 * pd.concat([scores, scores.agg(["mean", "std"])])).to_markdown(floatfmt=".1f"))


def search_file(
    file: Path,
    output: Path,
    preset: str,
    modalities: Sequence[str] | None,
    settings: Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]] | None,
    trials: int,
    seeds: int,
) -> None:
    """Searches settings, and prints the best ones as options of `train`."""
    if grid is None and preset not in GRIDS:
        raise ValueError(
            f"grid must be given, because only the presets {list(GRIDS)} have one, but preset is "
            f"{preset!r}."
        )
    corpus = open_corpus(file, modalities)
    recipe = Recipe("mmdfn", preset, settings)
    folder = output / file.stem / preset
    study = search(
        corpus, folder, recipe, GRIDS[preset] if grid is None else grid, trials=trials, seeds=seeds
    )
    say(f"best of {len(study.trials)}: {study.best_value:.4f} on held-out conversations")
    say(" ".join(f"--settings.{name}={value}" for name, value in study.best_params.items()))


def benchmark_file(
    file: Path,
    output: Path,
    models: Sequence[str] | None,
    preset: str,
    modalities: Sequence[str] | None,
    settings: Mapping[str, Any],
    seeds: int,
    trials: int,
) -> None:
    """Runs the benchmark, prints its table, and writes it beside the runs."""
    corpus = open_corpus(file, modalities)
    say(corpus)
    folder = output / file.stem
    found = benchmark(
        corpus,
        folder,
        preset,
        settings,
        models=COMPARED if models is None else models,
        seeds=range(seeds),
        trials=trials,
        source=file.name,
    )
    write_table(found.rename_axis("model").reset_index(), folder / "benchmark.csv")
    costs = found[["parameters", "ms a step"]].astype({"ms a step": int})
    shown = percent(found.drop(columns=costs.columns)).join(costs)
    say(shown.replace("nan", "").to_markdown(disable_numparse=True))


def compare_folders(models: Sequence[Path]) -> None:
    """Prints the scores of each model, and the differences of the last one from the others."""
    runs: dict[str, list[Run]] = {}
    for folder in models:
        found = sorted(each.parent for each in folder.glob("seed_*/result.json"))
        if not found:
            raise ValueError(f"{folder} must have folders seed_N of finished runs, but has none.")
        name = folder.name if folder.name not in runs else str(folder)
        runs[name] = [Run(each) for each in found]
    say(percent(table(runs)).to_markdown(disable_numparse=True))
    if len(runs) > 1:
        last = list(runs)[-1]
        say(f"\n{last} minus each other model; low and high: 95 % interval of a paired bootstrap\n")
        say(percent(compare(runs)).to_markdown(disable_numparse=True))


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Writes a table as .csv or .parquet."""
    if path.suffix.lower() == ".csv":
        write_atomically(path, frame.to_csv(index=False).encode())
    else:
        write_atomically(path, frame.to_parquet(index=False))
