"""Trains and evaluates MM-DFN (Hu et al., ICASSP 2022) on conversations.

    python examples/mmdfn_iemocap.py                            synthetic conversations
    python examples/mmdfn_iemocap.py --features iemocap.npz     your own features

Reports scores by two protocols. strict: the epoch is chosen on held-out training conversations.
legacy: by its test score, as is common in the field, which overestimates later scores.

Published for IEMOCAP (6 classes, authors' features, legacy): accuracy 68.21, weighted F1 68.18.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

# First, for its error if the extra is missing.
from graphfusion.datasets import Corpus, load, synthetic
from graphfusion.training import MODELS, Recipe, Run, compare, fit_seeds, percent, table

# isort: split
import pandas as pd
import torch
from pytorch_lightning.utilities import rank_zero_only
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

say = rank_zero_only(print)  # only the main process prints


def parser() -> argparse.ArgumentParser:
    """Makes the parser of the command line."""
    out = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = out.add_argument
    add("--features", type=Path, help="feature file with a train and a test split, and maybe a val")
    add("--modalities", help="in this order, e.g. text,audio+prosody (+ concatenates)")
    add("--subsets", action="store_true", help="also run every proper subset of the modalities")
    add("--models", nargs="+", choices=MODELS, default=["logistic", "mmdfn"], help="to be trained")
    add("--preset", default="iemocap", help="preset of all settings")
    add("--set", nargs="+", default=[], metavar="NAME=VALUE", help="changes to the preset")
    add("--epochs", type=int, default=30, help="maximum number of epochs")
    add("--seeds", type=int, default=3, help="number of runs of each model")
    add("--seed", type=int, default=0, help="the first seed")
    add("--devices", type=int, default=1, help="number of processes to train on")
    add("--output", type=Path, default=Path("runs"), help="output folder")
    add("--resume", action="store_true", help="resume interrupted runs in --output")
    return out


def main(arguments: Sequence[str] | None = None) -> dict[str, list[Run]]:
    """Trains the models, prints their scores, and returns the runs of each model."""
    command = parser()
    options = command.parse_args(arguments)
    runs = {}
    try:
        settings = {"epochs": options.epochs} | parse_settings(options.set)
        corpus = load(options.features) if options.features else synthetic()
        names = options.modalities.split(",") if options.modalities else default_modalities(corpus)
        corpus = corpus.select(names)
        if corpus.task != "classification":
            raise ValueError(f"the corpus must have one class each, but its task is {corpus.task}.")
        if len(set(options.models)) < len(options.models):
            raise ValueError(f"models must be different, but got {' '.join(options.models)}.")
        recipes = {model: Recipe(model, options.preset, settings) for model in MODELS}
        planned = {model: (recipes[model], corpus) for model in options.models}
        for size in range(1, len(names) if options.subsets else 1):
            for chosen in combinations(corpus.in_channels, size):
                planned[f"mmdfn on {', '.join(chosen)}"] = recipes["mmdfn"], corpus.select(chosen)
        for recipe, part in planned.values():
            recipe.build(part)  # checks the settings before hours of training
        say(corpus)
        file = options.features or Path("synthetic")
        seeds = range(options.seed, options.seed + options.seeds)
        how = {"resume": options.resume, "devices": options.devices, "source": file.name}
        for label, (recipe, part) in planned.items():
            folder = options.output / file.stem / "_".join(part.in_channels) / recipe.model
            used = [name for name in names if name.partition("+")[0] in part.in_channels]
            runs[label] = fit_seeds(recipe, part, folder, seeds, modalities=used, **how)
    except (OSError, ValueError, TypeError) as error:
        command.error(str(error))
    say("\nTest scores in % (mean ± standard deviation): accuracy, weighted F1, F1 of each class\n")
    say(score_table(corpus, runs).to_markdown(disable_numparse=True))
    say("\nstrict: epoch chosen on held-out conversations; legacy: by its test score")
    if len(options.models) > 1:
        say(f"\n{options.models[-1]} minus each other model, with 95 % bootstrap intervals\n")
        compared = compare({model: runs[model] for model in options.models})
        say(percent(compared).to_markdown(disable_numparse=True))
    words = sys.argv[1:] if arguments is None else arguments
    say("\nRepeat with: " + shlex.join(["python", "examples/mmdfn_iemocap.py", *words]))
    return runs


def parse_settings(words: Sequence[str]) -> dict[str, Any]:
    """Parses settings NAME=VALUE, whose values are JSON or else text."""
    settings: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not name or not value or name in settings:
            raise ValueError(f"a setting must be NAME=VALUE, each name once, but got {word!r}.")
        try:
            settings[name] = json.loads(value)
        except json.JSONDecodeError:
            settings[name] = value
    return settings


def default_modalities(corpus: Corpus) -> list[str]:
    """Selects all modalities, but in this project's files joins prosody with audio.

    There, `text_minilm` also replaces `text`, which was trained on the training labels.
    """
    names = list(corpus.in_channels)
    if {"audio", "prosody"} <= set(names):
        names[names.index("audio")] = "audio+prosody"
        names.remove("prosody")
    if {"text", "text_minilm"} <= set(names):
        names.remove("text")
    return names


def majority(corpus: Corpus) -> pd.DataFrame:
    """Scores of always predicting the most frequent class of the training conversations."""
    labels, target = (torch.cat(corpus.labels(split)) for split in ("train", "test"))
    labels, target = labels[labels >= 0], target[target >= 0]  # the others are missing
    guess = labels.mode().values.expand_as(target)
    f1 = partial(multiclass_f1_score, guess, target, corpus.num_classes)
    scores = dict(zip([f"F1 {name}" for name in corpus.classes], f1("none").tolist(), strict=True))
    accuracy = multiclass_accuracy(guess, target, corpus.num_classes, average="micro")
    for protocol in ("strict", "legacy"):  # the same at any epoch
        scores |= {f"{protocol} accuracy": float(accuracy), f"{protocol} f1": float(f1("weighted"))}
    return percent(pd.DataFrame(scores, index=["majority class"]))


def score_table(corpus: Corpus, runs: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """Test scores in percent of the majority class and of each model."""
    scores = percent(table(runs))
    return pd.concat([majority(corpus), scores])[list(scores)].fillna("")


if __name__ == "__main__":
    main()
