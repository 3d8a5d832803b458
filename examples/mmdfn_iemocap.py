"""Trains and evaluates MM-DFN (Hu et al., ICASSP 2022) on conversations.

    python examples/mmdfn_iemocap.py                            synthetic conversations
    python examples/mmdfn_iemocap.py --features iemocap.npz     real ones

Two protocols, from the same runs. strict: the epoch is chosen on held-out training conversations.
legacy: it is chosen by its test score, as is the field's habit; such a score is not to be expected
on new conversations.

Published for IEMOCAP, 6-way, with the authors' features and the legacy protocol: accuracy 68.21,
weighted F1 68.18.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import graphfusion.training  # noqa: F401  first, since it says which extra is missing

# isort: split
import pandas as pd
import torch
from pytorch_lightning.utilities import rank_zero_only

from graphfusion.command_line.parser import parse_settings
from graphfusion.datasets import Corpus, load, synthetic
from graphfusion.training import MODELS, Recipe, Run, compare, fit_seeds, percent, table
from graphfusion.training.metrics import Scores

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
    out.add_argument("--preset", default="iemocap", help="whose settings")
    out.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="other settings of training, or of MM-DFN, e.g. batch_size=8 past=10 causal=true",
    )
    out.add_argument("--epochs", type=int, default=30, help="how many to choose from")
    out.add_argument("--seeds", type=int, default=3, help="how many runs of each model")
    out.add_argument("--seed", type=int, default=0, help="the first of them")
    out.add_argument("--devices", type=int, default=1, help="how many processes share the work")
    out.add_argument("--output", type=Path, default=Path("runs"), help="folder to write to")
    out.add_argument("--resume", action="store_true", help="go on with what --output has")
    return out


def main(arguments: Sequence[str] | None = None) -> dict[str, list[Run]]:
    """Trains, prints the table, and returns the runs of each model."""
    command = parser()
    options = command.parse_args(arguments)
    settings = {"epochs": options.epochs} | parse_settings(options.set)
    try:
        corpus = load(options.features) if options.features else synthetic()
        corpus = corpus.select(options.modalities or default_modalities(corpus))
        planned = {
            model: (Recipe(model, options.preset, settings), corpus) for model in options.models
        }
        for names in subsets(corpus) if options.subsets else []:
            planned[f"mmdfn on {', '.join(names)}"] = planned["mmdfn"][0], corpus.select(names)
        for recipe, part in planned.values():
            recipe.build(part)  # before hours of training: the settings make a model
        say(corpus)
        runs = {
            label: fit_seeds(
                recipe,
                part,
                _folder(options, part, recipe.model),
                range(options.seed, options.seed + options.seeds),
                resume=options.resume,
                devices=options.devices,
                source=options.features.name if options.features else "synthetic",
            )
            for label, (recipe, part) in planned.items()
        }
    except (OSError, ValueError, TypeError) as error:
        command.error(str(error))
    say("\nTest scores in % (mean ± standard deviation), F1 weighted, or of a class if strict\n")
    scores = percent(table(runs))
    scores = pd.concat([majority(corpus), scores]).reindex(columns=scores.columns)
    say(scores.fillna("").to_markdown(disable_numparse=True))
    say("\nstrict: epoch chosen on held-out conversations; legacy: by its test score")
    if len(options.models) > 1:
        say(f"\n{options.models[-1]} less each other one, with 95 % of a paired bootstrap\n")
        compared = compare({model: runs[model] for model in options.models})
        say(percent(compared).to_markdown(disable_numparse=True))
    words = sys.argv[1:] if arguments is None else arguments
    say("\nRepeat with: " + shlex.join(["python", "examples/mmdfn_iemocap.py", *words]))
    return runs


def default_modalities(corpus: Corpus) -> list[str]:
    """All modalities, with two habits of this project's own feature files.

    Prosody is joined to audio; and `text_minilm` replaces `text`, whose released features were
    trained on the training labels.
    """
    names = list(corpus.in_channels)
    if {"audio", "prosody"} <= set(names):
        names[names.index("audio")] = "audio+prosody"
        names.remove("prosody")
    if {"text", "text_minilm"} <= set(names):
        names.remove("text")
    return names


def subsets(corpus: Corpus) -> list[list[str]]:
    """Every choice of some of the modalities but all of them, small ones first."""
    names = list(corpus.in_channels)
    sizes = range(1, len(names))
    return [list(chosen) for size in sizes for chosen in combinations(names, size)]


def majority(corpus: Corpus) -> pd.DataFrame:
    """The score of always predicting the most frequent class of the training conversations."""
    labels = torch.cat(corpus.labels("train"))
    target = torch.cat(corpus.labels("test"))
    logits = torch.zeros(len(target), corpus.num_classes)
    logits[:, labels[labels >= 0].mode().values] = 1
    scores = Scores("classification", corpus.num_classes)
    scores.update(logits, target)
    found = {f"strict {name}": score for name, score in scores.compute().items()}
    return percent(pd.DataFrame(found, index=["majority class"]))


def _folder(options: argparse.Namespace, corpus: Corpus, model: str) -> Path:
    source = options.features.stem if options.features else "synthetic"
    folder: Path = options.output / source / "_".join(corpus.in_channels) / model
    return folder


if __name__ == "__main__":
    main()
