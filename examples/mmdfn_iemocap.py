"""Trains and evaluates MM-DFN (Hu et al., ICASSP 2022) on conversations.

    python examples/mmdfn_iemocap.py                            synthetic conversations
    python examples/mmdfn_iemocap.py --features iemocap.npz     real ones

Two protocols, from the same runs. strict: the epoch is picked on held-out training conversations.
legacy: it is picked by its test score, as is the field's habit; such a score is not to be expected
on new conversations.

Published for IEMOCAP, 6-way, with the authors' features and the legacy protocol: accuracy 68.21,
weighted F1 68.18.
"""

import argparse
import csv
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from experiment import pictures
from experiment.arguments import SEEDS, count, parse_settings, seed
from experiment.data import read, subsets
from experiment.recipes import MODELS, RECIPES, recipe_of
from experiment.recognizer import Recognizer
from experiment.report import compare, majority, show, table
from experiment.training import Result, Run, check, quiet, train
from pytorch_lightning.utilities import rank_zero_only

from graphfusion.datasets import Corpus

say = rank_zero_only(print)  # of several processes, one prints


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    out.add_argument(
        "--features",
        type=Path,
        help="a feature file, with a train, a test and perhaps a dev or val split",
    )
    out.add_argument(
        "--modalities",
        type=lambda names: names.split(","),
        help="which, in which order, e.g. text,audio+prosody (+ joins two into one)",
    )
    out.add_argument(
        "--subsets", action="store_true", help="run every choice of the modalities, too"
    )
    out.add_argument(
        "--models",
        nargs="+",
        choices=MODELS,
        default=["logistic", "mmdfn"],
        help="mmdfn; without its gate, graph or speaker encoder; and two baselines",
    )
    out.add_argument("--preset", choices=RECIPES, default="iemocap", help="whose settings")
    out.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="other settings of training, or of MM-DFN, e.g. batch_size=8 past=10 causal=True",
    )
    out.add_argument("--epochs", type=count, default=30, help="how many to choose from")
    out.add_argument("--seeds", type=count, default=3, help="how many runs of each model")
    out.add_argument("--seed", type=seed, default=0, help="the first of them")
    out.add_argument("--devices", type=count, default=1, help="how many processes share the work")
    out.add_argument("--output", type=Path, default=Path("runs"), help="folder to write to")
    out.add_argument("--resume", action="store_true", help="go on with what --output has")
    return out


def main(arguments: Sequence[str] | None = None) -> dict[str, list[Result]]:
    """Runs the example and returns what it prints."""
    command = parser()
    options = command.parse_args(arguments)
    if options.seed + options.seeds > SEEDS:
        command.error(f"the last of --seeds must be below 2**32, but --seed is {options.seed}.")
    quiet()

    try:
        corpus = read(options.features, options.modalities)
        settings = parse_settings(options.set)
        results = {"majority class": [majority(corpus)]}
        planned = {
            model: (corpus, _runs(model, corpus, settings, options)) for model in options.models
        }
        choices = subsets(list(corpus.in_channels)) if options.subsets else []
        for names in choices[:-1]:  # the last one is all of them
            part = corpus.select(names)
            label = "mmdfn on " + ", ".join(names)
            planned[label] = part, _runs("mmdfn", part, settings, options)
        source = str(options.features or "synthetic")
        for data, runs in planned.values():
            for run in runs:
                check(run, data, source)
        say(corpus)
        for label, (data, runs) in planned.items():
            results[label] = [_train(run, data, source) for run in runs]
    except (OSError, ValueError, TypeError) as error:
        command.error(str(error))
    say("\nTest scores in % (mean ± standard deviation), F1 weighted, or of a class if strict")
    say(show(table(corpus.classes, results)))
    say("strict: epoch picked on held-out conversations; legacy: by its test score")
    if len(set(options.models)) > 1:
        _compare(corpus, options)
    words = sys.argv[1:] if arguments is None else arguments
    say("Repeat with: " + shlex.join(["python", "examples/mmdfn_iemocap.py", *words]))
    return results


def _folders(model: str, corpus: Corpus, options: argparse.Namespace) -> dict[int, Path]:
    """The folder of each seed's run."""
    source = options.features.stem if options.features else "synthetic"
    group = options.output / source / "_".join(corpus.in_channels) / model
    seeds = range(options.seed, options.seed + options.seeds)
    return {seed: group / f"seed_{seed}" for seed in seeds}


def _runs(
    model: str, corpus: Corpus, settings: dict[str, object], options: argparse.Namespace
) -> list[Run]:
    """What is to be done with the model: a run with every seed."""
    recipe = recipe_of(model, options.preset, settings)
    return [
        Run(
            model,
            options.preset,
            recipe,
            number,
            options.epochs,
            folder,
            options.resume,
            options.devices,
        )
        for number, folder in _folders(model, corpus, options).items()
    ]


def _train(run: Run, corpus: Corpus, source: str) -> Result:
    """Trains, draws the pictures, and says where everything is."""
    result = train(run, corpus, source)
    _draw(run.folder, result, corpus)
    scores = ", ".join(f"{key} {100 * value:.1f}" for key, value in result.strict.items())
    say(f"{run.model}, seed {run.seed}: strict {scores}, {result.seconds:.0f} s, in {run.folder}")
    return result


@rank_zero_only
def _compare(corpus: Corpus, options: argparse.Namespace) -> None:
    folders = {model: list(_folders(model, corpus, options).values()) for model in options.models}
    print("\n" + show(compare(folders, corpus.num_classes)))
    print("test conversations drawn with replacement, the same for both")


@rank_zero_only
def _draw(folder: Path, result: Result, corpus: Corpus) -> None:
    with (folder / "metrics.csv").open() as file:
        history = [
            {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)
        ]
    pictures.learning_curves(history, result, folder / "learning_curves.png")
    pictures.confusion(result, corpus.classes, folder / "confusion.png")
    chosen = Recognizer.load_from_checkpoint(folder / "best.ckpt", weights_only=True)
    model = chosen.model.cpu()
    if getattr(model.fusion, "gated", False):
        longest = max(corpus.splits["test"], key=lambda conversation: len(conversation.y))
        pictures.gates(model, longest, folder / "gates.png")


if __name__ == "__main__":
    main()
