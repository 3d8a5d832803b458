r"""Chooses settings of MM-DFN on training conversations alone, each scored when left out.

    python examples/cross_validate.py --features iemocap6.npz --prefix 5 \
        --try "" "batch_size=8 average=0.97"
    python examples/cross_validate.py --features meld.npz --preset meld --folds 5

Training conversations are in groups: with `--prefix`, those whose names begin with the same
characters (of IEMOCAP's, the first five name a session, whose speakers are in no other); with
`--folds`, every so many-th one. Each group is left out once, and is what the model is scored on. A
tenth of the rest, or the validation split if there is one, picks the epoch. The test conversations
are not looked at. Runs that are there already are not run again.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiment.arguments import count, parse_settings
from experiment.data import read
from experiment.recipes import RECIPES, recipe_of
from experiment.report import cell, markdown
from experiment.training import Run, quiet, train

from graphfusion import Conversation
from graphfusion.datasets import Corpus


def main(arguments: Sequence[str] | None = None) -> dict[str, list[float]]:
    """Prints and returns the weighted F1 of each choice of settings on each group."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", type=Path, help="a feature file; without it, synthetic ones")
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("--prefix", type=count, help="characters that name a group")
    either.add_argument("--folds", type=int, help="how many groups, if names do not tell")
    parser.add_argument(
        "--try",
        dest="choices",
        nargs="+",
        default=[""],
        metavar='"NAME=VALUE ..."',
        help='settings to compare, each choice in quotes; "" for those of the preset',
    )
    parser.add_argument("--preset", choices=RECIPES, default="iemocap")
    parser.add_argument("--epochs", type=count, default=30, help="how many to choose from")
    parser.add_argument("--output", type=Path, default=Path("runs/cross"), help="folder")
    options = parser.parse_args(arguments)
    quiet()
    scores: dict[str, list[float]] = {}
    try:
        corpus = read(options.features, None, needed=())
        training = corpus.splits["train"]
        if options.folds is None:
            groups, grouping = _groups(training, options.prefix), f"prefix_{options.prefix}"
        else:
            groups, grouping = _folds(training, options.folds), f"folds_{options.folds}"
        source = options.features.stem if options.features else "synthetic"
        output = options.output / source / grouping / options.preset
        for choice in options.choices:
            recipe = recipe_of("mmdfn", options.preset, parse_settings(choice.split()))
            for seed, group in enumerate(groups, start=1):
                folder = output / (choice.replace(" ", "_") or "as_it_is") / group
                run = Run("mmdfn", options.preset, recipe, seed, options.epochs, folder, True)
                rest = [
                    conversation
                    for other in groups
                    if other != group
                    for conversation in groups[other]
                ]
                parts = corpus.splits | {"train": rest, "test": groups[group]}
                result = train(run, Corpus(corpus.classes, parts), f"without {group}")
                scores.setdefault(choice, []).append(result.strict["f1"])
            print(f"{choice or options.preset}: {cell(scores[choice])}", flush=True)
    except (OSError, ValueError, TypeError) as error:
        parser.error(str(error))
    lines = [
        [choice or options.preset, *(f"{100 * each:.1f}" for each in of_groups), cell(of_groups)]
        for choice, of_groups in scores.items()
    ]
    print(markdown([["settings", *groups, "mean"], *lines]))
    return scores


def _groups(conversations: Sequence[Conversation], prefix: int) -> dict[str, list[Conversation]]:
    groups: dict[str, list[Conversation]] = {}
    for conversation in conversations:
        groups.setdefault(conversation.id[:prefix], []).append(conversation)
    if prefix < 1 or len(groups) < 2:
        raise ValueError(f"--prefix must tell two groups apart, but {prefix} gives {list(groups)}.")
    return groups


def _folds(conversations: Sequence[Conversation], count: int) -> dict[str, list[Conversation]]:
    if not 2 <= count <= len(conversations):
        raise ValueError(f"--folds must be from 2 to {len(conversations)}, but got {count}.")
    return {f"fold_{fold + 1}": list(conversations[fold::count]) for fold in range(count)}


if __name__ == "__main__":
    main()
