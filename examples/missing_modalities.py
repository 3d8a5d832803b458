"""Accuracy of MM-DFN with missing modalities: masked, or filled with zeros.

    python examples/missing_modalities.py                              synthetic conversations
    python examples/missing_modalities.py --features FILE [FILE ...]   your own files

Removes 0 to 90 % of the (utterance, modality) pairs of the test conversations at random, the same
ones for four "arms". "masked" passes the mask `present`; "zero-filled" the training mean, and no
mask. Both are trained on complete conversations, and with modalities dropped at random, also in
those that choose the epoch. Writes `scores.csv` and `scores.png`. Finished runs are reused.
"""

import argparse
from collections.abc import Iterator, Sequence
from copy import copy
from itertools import product
from pathlib import Path

from mmdfn_iemocap import default_modalities, parse_settings

from graphfusion import Conversation, modality_dropout
from graphfusion.datasets import Corpus, load, synthetic
from graphfusion.training import Recipe, evaluate, fit_seeds, held_out, percent

# isort: split
import pandas as pd
import torch
from matplotlib.figure import Figure

SHARES = [tenth / 10 for tenth in range(10)]
ARMS = {  # the model, and whether training drops modalities
    "masked": ("mmdfn", False),
    "zero-filled": ("zero_filled", False),
    "masked, trained for it": ("mmdfn", True),
    "zero-filled, trained for it": ("zero_filled", True),
}


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Trains all models, and writes and returns their scores."""
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = command.add_argument
    add("--features", type=Path, nargs="+", default=[None], help="feature files")
    add("--drop", type=float, default=0.5, help="probability of dropping a modality in training")
    add("--preset", default="iemocap", help="preset of all settings")
    add("--set", nargs="+", default=[], metavar="NAME=VALUE", help="changes to the preset")
    add("--epochs", type=int, default=30, help="maximum number of epochs")
    add("--seeds", type=int, default=3, help="number of runs of each arm")
    add("--output", type=Path, default=Path("runs/missing"), help="output folder")
    options = command.parse_args(arguments)
    rows: list[dict[str, object]] = []
    try:
        settings = {"epochs": options.epochs} | parse_settings(options.set)
        corpora = [load(path) if path else synthetic() for path in options.features]
        for corpus in corpora:
            if corpus.task != "classification":
                raise ValueError(f"features must have classes, but the task is {corpus.task}.")
        for path, corpus in zip(options.features, corpora, strict=True):
            corpus = corpus.select(default_modalities(corpus))
            source = path.stem if path else "synthetic"
            for (arm, (model, dropping)), seed in product(ARMS.items(), range(options.seeds)):
                dropped = {"modality_dropout": options.drop * dropping}
                recipe = Recipe(model, options.preset, settings | dropped)
                found = scores_of(recipe, corpus, seed, options.output / source)
                rows += [{"data": source, "arm": arm, "seed": seed, **row} for row in found]
    except (OSError, ValueError, TypeError) as error:
        command.error(str(error))
    scores = pd.DataFrame(rows)
    scores.to_csv(options.output / "scores.csv", index=False)
    files = scores.groupby("data", sort=False)
    figure = Figure(figsize=(6 * len(files), 4), layout="constrained")
    panels = figure.subplots(1, len(files), squeeze=False)[0]
    for axes, (source, part) in zip(panels, files, strict=True):
        f1 = part.groupby(["share", "arm"])["f1"]
        mean, std = (each.unstack()[list(ARMS)] for each in (f1.mean(), f1.std()))
        print(f"\n{source}: weighted F1 in %, mean ± standard deviation\n")
        print(percent(mean.join(std.add_suffix(" std"))).to_markdown(disable_numparse=True))
        mean.plot(ax=axes, yerr=std, capsize=2, title=source, ylabel="weighted F1")
    figure.savefig(options.output / "scores.png")
    return scores


def lose(conversations: Sequence[Conversation], share: float, seed: int) -> list[Conversation]:
    """Returns copies with a share of modalities dropped, at a greater share the same and more."""
    torch.manual_seed(seed)
    out = [copy(conversation) for conversation in conversations]
    for conversation in out:
        conversation.present = modality_dropout(conversation.present, share)
    return out


def scores_of(
    recipe: Recipe, corpus: Corpus, seed: int, folder: Path
) -> Iterator[dict[str, float]]:
    """Trains one model, or loads it if it is finished, and yields its score at each share."""
    p = recipe.settings.modality_dropout
    training, validation = held_out(corpus, seed)
    ids = {"train": training, "val": validation, "test": corpus.ids("test")}
    splits = dict(corpus.with_splits(ids).splits)
    splits = {**splits, "val": lose(splits["val"], p, seed)}
    prepared = Corpus(corpus.classes, splits, corpus.extractors)
    place = folder / recipe.model / f"drop_{p}"
    (run,) = fit_seeds(recipe, prepared, place, [seed], resume=True, source=folder.name)
    for share in SHARES:
        left = lose(corpus.splits["test"], share, seed)
        yield {"share": share, "f1": evaluate(run.model(), left)["f1"]}


if __name__ == "__main__":
    main()
