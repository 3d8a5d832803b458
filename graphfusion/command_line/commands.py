"""The subcommands, whose docstrings are the help texts.

Modules are imported when a command runs, to keep `--help` fast.
"""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from graphfusion.command_line.parser import Settings

# A string such as "text,audio+prosody", which jsonargparse does not split, or a list.
Modalities = list[str] | str | None
Model = Literal[
    "mmdfn", "static", "no_graph", "no_speaker", "zero_filled", "no_fusion", "joint_layer", "gcn2",
    "rgcn_transformer", "relational_attention", "hypergraph", "self_attention", "bigru", "logistic",
]  # fmt: skip
Preset = Literal[
    "iemocap", "meld", "mosi",
    "iemocap_speaker_normalized", "iemocap_regularized", "meld_regularized",
]  # fmt: skip


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
            of missing modalities) are ablations of mmdfn. no_fusion to self_attention replace its
            fusion. bigru and logistic are baselines.
        preset: The preset of all settings: the paper's (iemocap, meld), ours
            (iemocap_speaker_normalized, iemocap_regularized, meld_regularized), or those of iemocap
            for sentiment scores (mosi).
        modalities: The modalities to use, in this order; default: all. For example,
            text,audio+prosody uses text, and the concatenation of audio and prosody.
        settings: Settings that replace those of the preset, for training or MM-DFN. For example,
            --settings.epochs=10 --settings.past=20.
        seeds: The number of runs, with consecutive seeds.
        seed: The first seed.
        resume: Resume interrupted runs after their last epoch.
        devices: The number of processes or GPUs to train on.
        workers: The number of processes that load data; 0: the main process.
    """
    from graphfusion.command_line.training import train_file

    train_file(
        file,
        output,
        model,
        preset,
        _names(modalities),
        settings or {},
        seeds,
        seed,
        resume,
        devices,
        workers,
    )


def evaluate(model: Path, file: Path, split: str = "test", sentiment: bool = False) -> None:
    """Score a trained model on labelled conversations.

    Args:
        model: The `model` folder of a run.
        file: A feature file with the model's modalities.
        split: The split of the file to score.
        sentiment: Scores are sentiment, from -3 to 3; also score them as two and as seven classes.
    """
    from graphfusion.command_line.training import open_for_model
    from graphfusion.training import evaluate, load_model

    scores = evaluate(load_model(model), open_for_model(model, file, split), split, sentiment)
    if all(map(math.isnan, scores.values())):
        raise ValueError(f"{split} must have a labelled utterance to be scored, but has none.")
    for name, score in scores.items():
        sys.stdout.write(f"{name} {score:.4f}\n")


def predict(
    model: Path,
    file: Path,
    output: Path = Path("predictions.csv"),
    split: str | None = None,
    calibrated: bool = False,
) -> None:
    """Predict every utterance of a file.

    Writes a table with a row for each utterance. It has the conversation and the position in it
    (from 0), the prediction, and the probability of each class. If the file is a table, it also has
    the turn.

    Args:
        model: The `model` folder of a run.
        file: A feature file with the model's modalities.
        output: The table to write, .csv or .parquet.
        split: The split of the file to predict; default: all conversations, and a table then needs
            no labels or splits.
        calibrated: Calibrate the probabilities, and add a column `set` of likely classes. Both the
            temperature and the sets were fitted on the held-out conversations of the training. The
            sets aim to contain the true class of 90 % of the utterances.
    """
    from graphfusion.command_line.training import predict_file

    predict_file(model, file, output, split, calibrated)


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
    from graphfusion.command_line.training import cross_validate_file

    names = _names(modalities)
    cross_validate_file(file, output, model, preset, names, settings or {}, folds, prefix)


def search(
    file: Path,
    output: Path = Path("runs/search"),
    preset: Preset = "iemocap",
    modalities: Modalities = None,
    settings: Settings | None = None,
    grid: dict[str, list[int | float | bool | str]] | None = None,
    trials: int = 20,
    seeds: int = 3,
) -> None:
    """Search for the best settings of MM-DFN on held-out training conversations.

    Prints the best combination of settings as options of `train`. The test conversations are not
    used.

    Args:
        file: The feature file.
        output: The folder for all runs; an interrupted search is resumed.
        preset: The preset of all other settings, as in `train`.
        modalities: The modalities to use, as in `train`.
        settings: Fixed settings that replace those of the preset, as in `train`.
        grid: The values to try of each setting, such as --grid.lr='[0.001, 0.0003]'; default: the
            values that the paper tried for the preset.
        trials: The total number of combinations to try.
        seeds: The number of runs of each combination, with different seeds.
    """
    from graphfusion.command_line.training import search_file

    search_file(file, output, preset, _names(modalities), settings or {}, grid, trials, seeds)


def compare(models: list[Path]) -> None:
    """Compare finished runs of several models on the same test conversations.

    Prints the scores of each model, and the difference of the last model from each other one, with
    95 % bootstrap intervals.

    Args:
        models: Folders of models, such as runs/FILE/mmdfn, each with folders seed_N.
    """
    from graphfusion.command_line.training import compare_folders

    compare_folders(models)


def benchmark(
    file: Path,
    output: Path = Path("runs/benchmark"),
    models: list[Model] | None = None,
    preset: Preset = "iemocap",
    modalities: Modalities = None,
    settings: Settings | None = None,
    seeds: int = 5,
    trials: int = 0,
) -> None:
    """Train and compare fusion modules with the same encoder, head and training.

    Prints a row for each model. The test score is strict: the epoch is chosen on held-out
    conversations. The difference is from the model without fusion, with a 95 % bootstrap interval.
    The last columns are the number of parameters, and the milliseconds of a training step.

    Args:
        file: The feature file, with test conversations.
        output: The folder for all runs; finished ones are reused.
        models: The models to compare, as in `train`; default: MM-DFN and all other fusions.
        preset: The preset of all settings, as in `train`.
        modalities: The modalities to use, as in `train`.
        settings: Settings that replace those of the preset, as in `train`.
        seeds: The number of runs of each model, with different seeds.
        trials: The number of combinations of learning rate and dropout to try for each model, on
            held-out conversations; 0: the settings of the preset.
    """
    from graphfusion.command_line.training import benchmark_file

    benchmark_file(file, output, models, preset, _names(modalities), settings or {}, seeds, trials)


def _names(modalities: Modalities) -> list[str] | None:
    """Splits a comma-separated string of modalities."""
    return modalities.split(",") if isinstance(modalities, str) else modalities


COMMANDS: dict[str, Callable[..., Any]] = {
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "cross-validate": cross_validate,
    "search": search,
    "compare": compare,
    "benchmark": benchmark,
}
