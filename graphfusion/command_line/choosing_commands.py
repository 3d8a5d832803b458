"""The subcommands that choose settings and fusions, whose docstrings are the help texts.

Modules are imported when a command runs, to keep `--help` fast.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphfusion.command_line.files import open_corpus, say, say_table, write_table
from graphfusion.command_line.parser import Modalities, Model, Preset, Settings, names_of

if TYPE_CHECKING:
    from graphfusion.datasets import Corpus


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
    settings, chosen = settings or {}, names_of(modalities)
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

    corpus = open_corpus(file, names_of(modalities))
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
        modalities=names_of(modalities),
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
