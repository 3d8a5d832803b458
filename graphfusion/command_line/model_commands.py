"""The subcommands for trained models, whose docstrings are the help texts.

Modules are imported when a command runs, to keep `--help` fast.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphfusion._utils.files import check_output
from graphfusion.command_line.files import open_for_model, say, say_table, write_table

if TYPE_CHECKING:
    from graphfusion.training import Run


def evaluate(model: Path, file: Path, split: str = "test", sentiment: bool = False) -> None:
    """Score a trained model on labelled conversations.

    Args:
        model: The `model` folder of a run.
        file: A feature file with the model's modalities.
        split: The split of the file to score.
        sentiment: Scores are sentiment, from -3 to 3; also score them as two and as seven classes.
    """
    from graphfusion.training import evaluate as score
    from graphfusion.training import load_model

    scores = score(load_model(model), open_for_model(model, file, split), split, sentiment)
    if all(map(math.isnan, scores.values())):
        raise ValueError(f"{split} must have a labelled utterance to be scored, but has none.")
    for name, value in scores.items():
        say(f"{name} {value:.4f}")


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
    from graphfusion.training import Calibration, load_model
    from graphfusion.training import predict as tabulate
    from graphfusion.training.run import about_model

    check_output("output", output, (".csv", ".parquet"), file)
    loaded = load_model(model)
    table = tabulate(loaded, open_for_model(model, file, split), split)
    if calibrated:
        if (found := about_model(model).get("calibration")) is None:
            raise ValueError(f"calibrated must not be set: {model} has no calibration.")
        table = Calibration(**found).apply(table, loaded.class_names)
    write_table(table, output)
    say(f"predictions: {output}")


def compare(models: list[Path]) -> None:
    """Compare finished runs of several models on the same test conversations.

    Prints the scores of each model. Then prints the settings in which each other model differs from
    the last one, and the difference in score, with 95 % bootstrap intervals.

    Args:
        models: Folders of models, such as runs/FILE/mmdfn, that `train` has written. Each has a
            folder seed_N for each run.
    """
    from graphfusion.training import Run, percent, table
    from graphfusion.training import compare as differences
    from graphfusion.training.folder import difference

    names = [folder.resolve().name for folder in models]  # of ".", too
    if len(set(names)) < len(names):
        names = list(map(str, models))
    runs: dict[str, list[Run]] = {}
    for name, folder in zip(names, models, strict=True):
        found = sorted(each.parent for each in folder.glob("seed_*/result.json"))
        if not found:
            raise ValueError(f"{folder} must have folders seed_N of finished runs, but has none.")
        if name in runs:
            raise ValueError(f"models must be different folders, but {folder} is given twice.")
        runs[name] = [Run(each) for each in found]
    say_table(percent(table(runs)))
    *others, last = runs
    for name in others:
        if differing := difference(*_described(runs[name][0], runs[last][0])):
            say(f"{name} differs from {last} in {differing}")
    if others:
        say(f"\n{last} minus each other model; low and high: 95 % interval of a paired bootstrap\n")
        say_table(percent(differences(runs)))


def _described(run: "Run", last: "Run") -> list[dict[str, Any]]:
    """The settings to compare of two runs, maybe of models that have different arguments."""
    rows = []
    for each in (run, last):
        known = {**each.described, "modalities": each.config["data"]["in_channels"]}
        both = {name: known.get(name, last.settings[name]) for name in last.settings}
        others = [
            name for one in (run, last) for name in one.described.keys() - one.settings.keys()
        ]
        rows.append(both | {name: known.get(name, "nothing") for name in ["modalities", *others]})
    return rows
