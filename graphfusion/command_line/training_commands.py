"""The subcommands that train models, whose docstrings are the help texts.

Modules are imported when a command runs, to keep `--help` fast.
"""

from pathlib import Path

from graphfusion.command_line.files import open_corpus, say, say_table
from graphfusion.command_line.parser import Modalities, Model, Preset, Settings, names_of


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

    recipe, modalities = Recipe(model, preset, settings or {}), names_of(modalities)
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
    chosen = names_of(modalities)
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
