"""Trains and evaluates MM-DFN (Hu et al., ICASSP 2022) on conversations.

    python examples/mmdfn_iemocap.py                            synthetic conversations
    python examples/mmdfn_iemocap.py --features iemocap.npz     your own features

Reports scores by two protocols from the same runs. strict: the epoch is chosen on held-out training
conversations. legacy: the epoch is chosen by its test score, as is common in the field, which
overestimates the score on new conversations.

Published result for IEMOCAP (6 classes, the authors' features, legacy protocol): accuracy 68.21,
weighted F1 68.18.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import graphfusion.training  # noqa: F401  first, for its error if the extra is missing

# isort: split
import pandas as pd
import torch
from pytorch_lightning.utilities import rank_zero_only

from graphfusion.command_line.parser import parse_settings
from graphfusion.datasets import Corpus, load, synthetic
from graphfusion.training import MODELS, Recipe, Run, compare, fit_seeds, percent, table
from graphfusion.training.metrics import Scores

say = rank_zero_only(print)  # only the main process prints


def parser() -> argparse.ArgumentParser:
    """Makes the parser of the command line."""
    out = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    out.add_argument(
        "--features",
        type=Path,
        help="feature file with a train and a test split, and an optional dev or val split; "
        "default: synthetic conversations",
    )
    out.add_argument(
        "--modalities",
        type=lambda names: names.split(","),
        help="modalities to use, in this order, e.g. text,audio+prosody (+ concatenates)",
    )
    out.add_argument(
        "--subsets", action="store_true", help="also run every proper subset of the modalities"
    )
    out.add_argument(
        "--models",
        nargs="+",
        choices=MODELS,
        default=["logistic", "mmdfn"],
        help="models to train: mmdfn, its ablations, other fusions, or baselines",
    )
    out.add_argument("--preset", default="iemocap", help="preset of all settings")
    out.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="settings of training or MM-DFN that replace those of the preset, e.g. batch_size=8 "
        "past=10 causal=true",
    )
    out.add_argument("--epochs", type=int, default=30, help="maximum number of epochs")
    out.add_argument("--seeds", type=int, default=3, help="number of runs of each model")
    out.add_argument("--seed", type=int, default=0, help="the first seed")
    out.add_argument("--devices", type=int, default=1, help="number of processes to train on")
    out.add_argument("--output", type=Path, default=Path("runs"), help="output folder")
    out.add_argument("--resume", action="store_true", help="resume interrupted runs in --output")
    return out


def main(arguments: Sequence[str] | None = None) -> dict[str, list[Run]]:
    """Trains the models, prints their scores, and returns the runs of each model."""
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
            recipe.build(part)  # checks the settings before hours of training
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
    say("\nTest scores in % (mean ± standard deviation): accuracy, weighted F1, F1 of each class\n")
    scores = percent(table(runs))
    scores = pd.concat([majority(corpus), scores]).reindex(columns=scores.columns)
    say(scores.fillna("").to_markdown(disable_numparse=True))
    say("\nstrict: epoch chosen on held-out conversations; legacy: by its test score")
    if len(options.models) > 1:
        say(f"\n{options.models[-1]} minus each other model, with 95 % bootstrap intervals\n")
        compared = compare({model: runs[model] for model in options.models})
        say(percent(compared).to_markdown(disable_numparse=True))
    words = sys.argv[1:] if arguments is None else arguments
    say("\nRepeat with: " + shlex.join(["python", "examples/mmdfn_iemocap.py", *words]))
    return runs


def default_modalities(corpus: Corpus) -> list[str]:
    """Selects all modalities, with two exceptions for this project's own feature files.

    Prosody is concatenated with audio. `text_minilm` replaces `text`, because the released text
    features were trained on the training labels.
    """
    names = list(corpus.in_channels)
    if {"audio", "prosody"} <= set(names):
        names[names.index("audio")] = "audio+prosody"
        names.remove("prosody")
    if {"text", "text_minilm"} <= set(names):
        names.remove("text")
    return names


def subsets(corpus: Corpus) -> list[list[str]]:
    """All non-empty proper subsets of the modalities, the smallest first."""
    names = list(corpus.in_channels)
    sizes = range(1, len(names))
    return [list(chosen) for size in sizes for chosen in combinations(names, size)]


def majority(corpus: Corpus) -> pd.DataFrame:
    """Scores of always predicting the most frequent class of the training conversations."""
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
