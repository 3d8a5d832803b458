"""The commands. What they need is imported when one runs, so that `--help` does not wait for it."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from graphfusion.command_line.parser import Settings

# A word such as "text,audio+prosody", which jsonargparse does not split, or a list.
Modalities = list[str] | str | None
Model = Literal[
    "mmdfn", "static", "no_graph", "no_speaker", "zero_filled", "no_fusion", "joint_layer", "gcn2",
    "rgcn_transformer", "relational_attention", "hypergraph", "self_attention", "bigru", "logistic",
]  # fmt: skip
Preset = Literal["iemocap", "meld", "mosi", "iemocap_tuned", "meld_tuned"]


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

    Writes OUTPUT/FILE/MODEL/seed_N/ for each seed, with the trained model in `model`, predictions
    of the test conversations, and a page to look at, `report.html`; and such a page about all seeds
    in OUTPUT/FILE/MODEL.

    Args:
        file: Conversations with features: safetensors, .npz, a pickle, Parquet or CSV.
        output: A folder.
        model: MM-DFN; without its gate (static), graph, speaker encoder or mask of what is absent;
            with another fusion (no_fusion to self_attention); or a baseline.
        preset: Whose settings.
        modalities: Which of the file's, in which order; such as text,audio+prosody, of which the
            second joins two into one.
        settings: Others than the preset's, of the training or of MM-DFN, such as
            --settings.epochs=10 --settings.past=20.
        seeds: How many runs, with different seeds.
        seed: The first of them.
        resume: Go on from the last epoch of runs that were cut off.
        devices: How many processes or GPUs share the work.
        workers: How many processes read the file.
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
    """Score a trained model on conversations with labels.

    Args:
        model: The folder `model` of a run.
        file: Conversations with the model's modalities.
        split: Which of them.
        sentiment: Scores are of sentiment, from -3 to 3.
    """
    from graphfusion.command_line.training import open_for
    from graphfusion.training import evaluate, load_model

    scores = evaluate(load_model(model), open_for(model, file, split), split, sentiment)
    if all(map(math.isnan, scores.values())):
        raise ValueError(f"{split} must have a labelled utterance to be scored, but has none.")
    for name, score in scores.items():
        sys.stdout.write(f"{name} {score:.4f}\n")


def predict(
    model: Path, file: Path, output: Path = Path("predictions.csv"), split: str | None = None
) -> None:
    """Predict every utterance of a file.

    Args:
        model: The folder `model` of a run.
        file: Conversations with the model's modalities.
        output: Gets a row for every utterance: conversation, utterance (its position there, from
            0), of a table its turn, predicted, and each class's probability. A .csv or a .parquet.
        split: Which of the file's conversations; if not given, all of them, and then a table needs
            neither labels nor splits.
    """
    from graphfusion.command_line.training import open_for, write_table
    from graphfusion.training import load_model, predict

    write_table(predict(load_model(model), open_for(model, file, split), split), output)


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
    """Score settings on training conversations, each left out once.

    Args:
        file: Conversations with features.
        output: A folder; runs that are there already are not run again.
        model: As of train.
        preset: As of train.
        modalities: As of train.
        settings: As of train.
        folds: How many groups.
        prefix: Instead of folds: conversations whose ids begin with the same so many characters are
            a group (of IEMOCAP's, 5 name a session, whose speakers are in no other).
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
    """Search settings of MM-DFN by their scores on held-out training conversations.

    Args:
        file: Conversations with features.
        output: A folder; a search that was cut off goes on where it was.
        preset: As of train.
        modalities: As of train.
        settings: What stays the same, as of train.
        grid: What to try, such as --grid.lr='[0.001, 0.0003]'; if not given, what the preset was
            tuned over in the paper.
        trials: How many settings to try in all.
        seeds: How many runs of each.
    """
    from graphfusion.command_line.training import search_file

    search_file(file, output, preset, _names(modalities), settings or {}, grid, trials, seeds)


def compare(models: list[Path]) -> None:
    """Compare the runs of several models on the same test conversations.

    Args:
        models: Folders of runs, such as runs/FILE/mmdfn, each with folders seed_N; the last one is
            compared with each of the others.
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
    """Compare fusions: one encoder, head, training and budget for all of them.

    Prints a row for each model: its test score by the strict protocol, the difference from the
    same model without fusion with 95 % of a paired bootstrap, its parameters, and milliseconds a
    training step.

    Args:
        file: Conversations with features, with test conversations.
        output: A folder; runs that are there already are not run again.
        models: As of train; if not given, MM-DFN and all other fusions.
        preset: As of train.
        modalities: As of train.
        settings: As of train.
        seeds: How many runs of each model.
        trials: How many learning rates and dropouts to try for each model, on held-out
            conversations; 0: the preset's.
    """
    from graphfusion.command_line.training import benchmark_file

    benchmark_file(file, output, models, preset, _names(modalities), settings or {}, seeds, trials)


def _names(modalities: Modalities) -> list[str] | None:
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
