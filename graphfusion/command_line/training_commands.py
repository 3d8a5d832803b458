"""The subcommands that train models, whose docstrings are the help texts.

Modules are imported when a command runs, to keep `--help` fast.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphfusion.command_line.files import open_corpus, say, say_table, write_table
from graphfusion.command_line.parser import Modalities, Model, Preset, Settings

if TYPE_CHECKING:
    from graphfusion.datasets import Corpus


def train(
    file: Path,
    output: Path = Path("runs"),
    model: Model = "mmdfn",
    preset: Preset = "iemocap",
    modalities: Modalities = None,
    settings: Settings | None = None,
    seeds: int = 1,
    seed: int = 0,
    resume: bool = False,
    devices: int = 1,
    workers: int = 0,
) -> None:
    """Train a model on a file of conversations.

    For each seed, writes a folder OUTPUT/FILE/MODEL/seed_N/ with the trained model in `model`,
    predictions for the test conversations, and a report, `report.html`. A report about all seeds is
    written to OUTPUT/FILE/MODEL/.

    Args:
        file: The feature file: safetensors, .npz, a pickle, Parquet or CSV.
        output: The folder for all runs.
        model: The model to train. static (no gate), no_graph, no_speaker and zero_filled (no mask
            of missing modalities) are ablations of mmdfn. Those from no_fusion to self_attention
            are mmdfn with another fusion. bigru and logistic are baselines.
        preset: The preset of all settings: as in the paper (iemocap, meld), as chosen for this
            library (iemocap_speaker_normalized, iemocap_regularized, meld_regularized), or those of
            iemocap for sentiment scores (mosi). bigru and logistic have training settings of their
            own, for any preset.
        modalities: The modalities to use, in this order; default: all. For example,
            text,audio+prosody uses text, and the concatenation of audio and prosody.
        settings: Settings that replace those of the preset, such as --settings.epochs=10
            --settings.past=20. They are the arguments of graphfusion.training.Settings and
            graphfusion.MMDFN.
        seeds: The number of runs, with consecutive seeds.
        seed: The first seed.
        resume: Resume interrupted runs after their last epoch.
        devices: The number of GPUs, or of processes without a GPU, to train on.
        workers: The number of processes that load data; 0: the main process.
    """
    from graphfusion.training import Recipe, fit_seeds, percent, table

    recipe, modalities = Recipe(model, preset, settings or {}), _names(modalities)
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
        say_table(percent(table({model: runs})))
    say(f"model: {runs[0].folder / 'model'}\nreport: {folder / 'report.html'}")


def cross_validate(
    file: Path,
    output: Path = Path("runs/cross"),
    model: Model = "mmdfn",
    preset: Preset = "iemocap",
    modalities: Modalities = None,
    settings: Settings | None = None,
    folds: int = 5,
    prefix: int | None = None,
) -> None:
    """Cross-validate a model on the training conversations of a file.

    Splits the training conversations into groups. For each group, trains on the others, and scores
    the model on this one. The test conversations are not used.

    Args:
        file: The feature file.
        output: The folder for all runs; finished ones are reused.
        model: The model, as in `train`.
        preset: The preset of all settings, as in `train`.
        modalities: The modalities to use, as in `train`.
        settings: Settings that replace those of the preset, as in `train`.
        folds: The number of groups.
        prefix: Group conversations by this number of first characters of their ids, rather than by
            folds. For IEMOCAP, 5 groups by session, which keeps speakers apart.
    """
    import pandas as pd

    from graphfusion.training import Recipe, by_prefix, percent
    from graphfusion.training import cross_validate as validate

    settings = settings or {}
    recipe = Recipe(model, preset, settings)
    chosen = _names(modalities)
    corpus = open_corpus(file, chosen)
    groups = folds if prefix is None else by_prefix(corpus, prefix)
    kind = f"folds_{folds}" if prefix is None else f"prefix_{prefix}"
    words = "_".join(f"{key}={value}" for key, value in settings.items()) or "preset"
    folder = output / file.stem / kind / f"{model}_{preset}" / words
    scores = validate(
        recipe.build,
        corpus,
        folder,
        recipe.settings,
        groups=groups,
        modalities=chosen,
        source=file.name,
    )
    say_table(percent(pd.concat([scores, scores.agg(["mean", "std"])])))


def search(
    file: Path,
    output: Path = Path("runs/search"),
    preset: Preset = "iemocap",
    modalities: Modalities = None,
    settings: Settings | None = None,
    grid: dict[str, list[int | float | bool | str]] | None = None,
    trials: int = 20,
    seeds: int = 3,
    folds: int | None = None,
    prefix: int | None = None,
) -> None:
    """Search for the best settings of MM-DFN on training conversations.

    Prints the best combination of settings as options of `train`. The test conversations are not
    used.

    Args:
        file: The feature file.
        output: The folder for all runs; an interrupted search is resumed.
        preset: The preset of all other settings, as in `train`.
        modalities: The modalities to use, as in `train`.
        settings: Fixed settings that replace those of the preset, as in `train`.
        grid: The values to try of each setting, such as --grid.lr='[0.001, 0.0003]'; default: the
            values that the paper tried for the preset, of the settings that are not fixed.
        trials: The total number of combinations to try.
        seeds: The number of runs of each combination, scored on held-out conversations.
        folds: Score by leaving out this number of groups in turn, as in `cross-validate`, rather
            than by seeds.
        prefix: The same for groups of conversations whose ids begin alike.
    """
    from graphfusion.training import Recipe
    from graphfusion.training import search as run_search
    from graphfusion.training.search import GRIDS

    if grid is None and preset not in GRIDS:
        raise ValueError(
            f"grid must be given, because only the presets {list(GRIDS)} have one, but preset is "
            f"{preset!r}."
        )
    settings, chosen = settings or {}, _names(modalities)
    tried: Mapping[str, Sequence[Any]] = grid or {}
    if grid is None:
        tried = {name: values for name, values in GRIDS[preset].items() if name not in settings}
    corpus = open_corpus(file, chosen)
    groups = _groups(corpus, folds, prefix)
    study = run_search(
        corpus,
        output / file.stem / preset,
        Recipe("mmdfn", preset, settings),
        tried,
        trials=trials,
        seeds=seeds,
        groups=groups,
        modalities=chosen,
        source=file.name,
    )
    scored = "held-out" if groups is None else "left-out"
    say(f"best of {len(study.trials)}: {study.best_value:.4f} on {scored} conversations")
    say(" ".join(f"--settings.{name}={value}" for name, value in study.best_params.items()))


def benchmark(
    file: Path,
    output: Path = Path("runs/benchmark"),
    models: list[Model] | None = None,
    preset: Preset = "iemocap",
    modalities: Modalities = None,
    settings: Settings | None = None,
    seeds: int = 5,
    trials: int = 0,
    folds: int | None = None,
    prefix: int | None = None,
) -> None:
    """Train and compare fusion modules with the same encoder, head and training.

    Prints a row for each model. The test score is strict: the epoch is chosen on held-out
    conversations. The difference is from the model without fusion, with a 95 % bootstrap interval
    over test conversations, and with its standard deviation over seeds. The last columns are the
    number of parameters, and the milliseconds of a forward and a backward pass on the CPU.

    Args:
        file: The feature file, with test conversations.
        output: The folder for all runs; finished ones are reused.
        models: The models to compare, as in `train`; default: MM-DFN and all other fusions.
        preset: The preset of all settings, as in `train`.
        modalities: The modalities to use, as in `train`.
        settings: Settings that replace those of the preset, as in `train`; with trials, not lr or
            dropout.
        seeds: The number of runs of each model, with different seeds.
        trials: The number of combinations of learning rate and dropout to try for each model, on
            held-out conversations; 0: the settings of the preset.
        folds: Score these combinations by leaving out this number of groups in turn, as in
            `cross-validate`.
        prefix: The same for groups of conversations whose ids begin alike.
    """
    from graphfusion.training import benchmark as run_benchmark
    from graphfusion.training import percent
    from graphfusion.training.benchmark import COMPARED

    corpus = open_corpus(file, _names(modalities))
    say(corpus)
    folder = output / file.stem
    found = run_benchmark(
        corpus,
        folder,
        preset,
        settings,
        models=models or COMPARED,
        seeds=range(seeds),
        trials=trials,
        groups=_groups(corpus, folds, prefix),
        modalities=_names(modalities),
        source=file.name,
    )
    write_table(found.rename_axis("model").reset_index(), folder / "benchmark.csv")
    costs = found[["parameters", "ms a step"]].round().astype(int)
    say_table(percent(found.drop(columns=costs.columns)).join(costs).replace("nan", ""))


def _groups(
    corpus: "Corpus", folds: int | None, prefix: int | None
) -> dict[str, list[str]] | int | None:
    """The groups of training conversations to leave out; a prefix goes before folds."""
    from graphfusion.training import by_prefix

    return folds if prefix is None else by_prefix(corpus, prefix)


def _names(modalities: Modalities) -> list[str] | None:
    """Splits a comma-separated string of modalities."""
    return modalities.split(",") if isinstance(modalities, str) else modalities
