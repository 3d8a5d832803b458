"""What missing modalities cost MM-DFN: left out of the model, or filled with zeros.

    python examples/missing_modalities.py                              synthetic conversations
    python examples/missing_modalities.py --features FILE [FILE ...]   real ones

Of the test conversations' (utterance, modality) pairs, 0 to 90 % go missing at random: the same
ones for four arms. "masked" passes `present`. "zero-filled" does what is usual, with the kinder
kind of zeros, those of standardised features: the training mean takes the place of what is absent,
and the model is told nothing. Each is trained on complete conversations, and with modalities
dropped at random. The epoch is picked on held-out conversations, treated as in training, with what
is missing drawn once.

Writes `scores.csv` and `scores.png`, a panel for each file. Runs that are there already are not run
again.
"""

import argparse
import csv
import math
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from experiment.arguments import count, parse_settings
from experiment.data import held_out, read
from experiment.models import zero_filled
from experiment.pictures import missing
from experiment.recipes import RECIPES, Recipe, recipe_of
from experiment.recognizer import Recognizer
from experiment.report import cell, markdown
from experiment.training import Run, predict, quiet, train
from torch import Tensor
from torchmetrics.functional.classification import multiclass_f1_score

from graphfusion import Conversation, modality_dropout
from graphfusion.datasets import Corpus

SHARES = [tenth / 10 for tenth in range(10)]
# The model that each arm trains and scores, and whether modalities are dropped in its training.
# Where they are not, it is one model, scored in two ways.
ARMS = {
    "masked": ("mmdfn", "mmdfn", False),
    "zero-filled": ("mmdfn", "zero_filled", False),
    "masked, trained for it": ("mmdfn", "mmdfn", True),
    "zero-filled, trained for it": ("zero_filled", "zero_filled", True),
}


@dataclass(frozen=True)
class Score:
    """One model's weighted F1 on the test conversations, `share` of their modalities missing.

    Attributes:
        data: The name of the file.
        arm: One of `ARMS`.
        seed: That of the run, and of what is missing.
        share: In [0, 1].
        f1: A fraction.
        f1_some: Of the utterances that have a modality left; NaN if there are none.
        f1_none: Of those that have nothing left, likewise.
    """

    data: str
    arm: str
    seed: int
    share: float
    f1: float
    f1_some: float
    f1_none: float


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    out.add_argument(
        "--features",
        type=Path,
        nargs="+",
        default=[None],
        help="feature files, with a train, a test and perhaps a dev or val split",
    )
    out.add_argument(
        "--drop", type=float, default=0.5, help="how likely a modality is dropped in training"
    )
    out.add_argument("--preset", choices=RECIPES, default="iemocap", help="whose settings")
    out.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="other settings of MM-DFN or of its training, e.g. lr=0.001",
    )
    out.add_argument("--epochs", type=count, default=30, help="how many to choose from")
    out.add_argument("--seeds", type=count, default=3, help="how many runs of each arm")
    out.add_argument("--output", type=Path, default=Path("runs/missing"), help="folder to write to")
    return out


def main(arguments: Sequence[str] | None = None) -> list[Score]:
    """Trains what is not there yet, and scores, writes and returns all."""
    command = parser()
    options = command.parse_args(arguments)
    quiet()
    scores: list[Score] = []
    try:
        settings = parse_settings(options.set)
        recipes = {
            arm: recipe_of(
                trained, options.preset, settings | {"modality_dropout": options.drop * dropping}
            )
            for arm, (trained, _, dropping) in ARMS.items()
        }
        for path in options.features:
            corpus, source = read(path, None), path.stem if path else "synthetic"
            for arm in ARMS:
                for seed in range(options.seeds):
                    scores += _scores(arm, recipes[arm], corpus, source, seed, options)
                print(f"{source}, {arm}: done", flush=True)
    except (OSError, ValueError, TypeError) as error:
        command.error(str(error))
    with (options.output / "scores.csv").open("w", newline="") as file:
        rows = csv.DictWriter(file, [each.name for each in fields(Score)])
        rows.writeheader()
        rows.writerows(asdict(score) for score in scores)
    f1: dict[str, dict[str, list[list[float]]]] = {}  # by data, arm, share and seed
    for score in scores:
        shares = f1.setdefault(score.data, {}).setdefault(score.arm, [[] for _ in SHARES])
        shares[SHARES.index(score.share)].append(score.f1)
    for source, arms in f1.items():
        print(f"\n{source}: weighted F1 in %, mean ± standard deviation\n")
        columns = zip(*arms.values(), strict=True)
        lines = [
            [f"{share:.0%}", *map(cell, column)]
            for share, column in zip(SHARES, columns, strict=True)
        ]
        print(markdown([["missing", *arms], *lines]))
    missing(f1, SHARES, options.output / "scores.png")
    return scores


def lose(conversations: Sequence[Conversation], share: float, seed: int) -> list[Conversation]:
    """The same conversations with modalities dropped; of one seed, more at a greater share."""
    torch.manual_seed(seed)
    out = []
    for conversation in conversations:
        conversation = copy(conversation)
        conversation.present = modality_dropout(conversation.present, share)
        out.append(conversation)
    return out


def _scores(
    arm: str, recipe: Recipe, corpus: Corpus, source: str, seed: int, options: argparse.Namespace
) -> Iterator[Score]:
    """Trains one model, unless it is there, and scores it at every share."""
    trained, scored, _ = ARMS[arm]
    p = recipe.modality_dropout
    training, validation = held_out(corpus, seed)
    test = corpus.splits["test"]
    prepared = Corpus(
        corpus.classes, {"train": training, "val": lose(validation, p, seed), "test": test}
    )
    folder = options.output / source / trained / f"drop_{p}" / f"seed_{seed}"
    run = Run(trained, options.preset, recipe, seed, options.epochs, folder, resume=True)
    train(run, prepared, source)
    recognizer = Recognizer.load_from_checkpoint(folder / "best.ckpt", weights_only=True)
    if scored != trained:
        recognizer.model = zero_filled(recognizer.model)
    target = torch.cat([each.y for each in test])
    for share in SHARES:
        left = lose(test, share, seed)
        predicted = predict(recognizer, left)
        some = torch.cat([torch.stack(list(each.present.values())).any(0) for each in left])
        f1 = [
            _f1(predicted[of], target[of], corpus.num_classes)
            for of in (torch.ones_like(some), some, ~some)
        ]
        yield Score(source, arm, seed, share, *f1)


def _f1(predicted: Tensor, target: Tensor, num_classes: int) -> float:
    if len(target) == 0:
        return math.nan
    return float(multiclass_f1_score(predicted, target, num_classes, average="weighted"))


if __name__ == "__main__":
    main()
