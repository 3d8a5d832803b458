"""Accuracy of MM-DFN with missing modalities: masked, or filled with zeros.

    python examples/missing_modalities.py                              synthetic conversations
    python examples/missing_modalities.py --features FILE [FILE ...]   your own files

Removes 0 to 90 % of the (utterance, modality) pairs of the test conversations at random, the same
ones for four variants ("arms"). "masked" passes the mask `present`. "zero-filled" passes no mask,
and replaces missing features by zeros after standardisation, which is the training mean. Both are
trained on complete conversations, and with modalities dropped at random. The held-out conversations
that choose the epoch have modalities dropped as in training, but the same ones in each epoch.

Writes `scores.csv`, and `scores.png` with a panel for each file. Finished runs are reused.
"""

import argparse
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path

import graphfusion.training  # noqa: F401  first, for its error if the extra is missing

# isort: split
import matplotlib as mpl
import pandas as pd
import torch
from matplotlib.figure import Figure
from mmdfn_iemocap import default_modalities

from graphfusion import Conversation, modality_dropout
from graphfusion.command_line.parser import parse_settings
from graphfusion.datasets import Corpus, load, synthetic
from graphfusion.models.zero_filled import zero_filled
from graphfusion.training import Recipe, evaluate, fit_seeds, percent
from graphfusion.training.data import held_out
from graphfusion.training.plots import STYLE

SHARES = [tenth / 10 for tenth in range(10)]
# For each arm: the trained model, the scored model, and whether training drops modalities.
# Without dropping, both arms share one trained model.
ARMS = {
    "masked": ("mmdfn", "mmdfn", False),
    "zero-filled": ("mmdfn", "zero_filled", False),
    "masked, trained for it": ("mmdfn", "mmdfn", True),
    "zero-filled, trained for it": ("zero_filled", "zero_filled", True),
}
# A line style for each arm, distinguishable with colour blindness, and in grey.
LINES = (
    ("--", "#0072b2", "o"),
    ("--", "#d55e00", "s"),
    ("-", "#0072b2", "o"),
    ("-", "#d55e00", "s"),
)


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Trains all models, and writes and returns their scores."""
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--features", type=Path, nargs="+", default=[None], help="feature files")
    command.add_argument(
        "--drop", type=float, default=0.5, help="probability of dropping a modality in training"
    )
    command.add_argument("--preset", default="iemocap", help="preset of all settings")
    command.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="settings that replace the preset",
    )
    command.add_argument("--epochs", type=int, default=30, help="maximum number of epochs")
    command.add_argument("--seeds", type=int, default=3, help="number of runs of each arm")
    command.add_argument("--output", type=Path, default=Path("runs/missing"), help="output folder")
    options = command.parse_args(arguments)
    rows: list[dict[str, object]] = []
    try:
        settings = {"epochs": options.epochs} | parse_settings(options.set)
        for path in options.features:
            corpus = load(path) if path else synthetic()
            corpus = corpus.select(default_modalities(corpus))
            for arm, (trained, _, dropping) in ARMS.items():
                dropped = {"modality_dropout": options.drop * dropping}
                recipe = Recipe(trained, options.preset, settings | dropped)
                for seed in range(options.seeds):
                    source = path.stem if path else "synthetic"
                    found = scores_of(arm, recipe, corpus, source, seed, options.output)
                    rows += [{"data": source, "arm": arm, "seed": seed, **row} for row in found]
    except (OSError, ValueError, TypeError) as error:
        command.error(str(error))
    scores = pd.DataFrame(rows)
    scores.to_csv(options.output / "scores.csv", index=False)
    for source, of_data in scores.groupby("data", sort=False):
        f1 = of_data.pivot_table("f1", "share", "arm", ["mean", "std"], sort=False)
        f1.columns = [f"{arm} std" if kind == "std" else arm for kind, arm in f1.columns]
        print(f"\n{source}: weighted F1 in %, mean ± standard deviation\n")
        print(percent(f1).to_markdown(disable_numparse=True))
    plot(scores, options.output / "scores.png")
    return scores


def lose(conversations: Sequence[Conversation], share: float, seed: int) -> list[Conversation]:
    """Returns copies of conversations with a share of modalities dropped.

    For one seed, the modalities dropped at a smaller share are also dropped at a greater one.
    """
    torch.manual_seed(seed)
    out = []
    for conversation in conversations:
        conversation = copy(conversation)
        conversation.present = modality_dropout(conversation.present, share)
        out.append(conversation)
    return out


def scores_of(
    arm: str, recipe: Recipe, corpus: Corpus, source: str, seed: int, output: Path
) -> Iterator[dict[str, float]]:
    """Trains one model, or loads it if it is finished, and yields its score at each share."""
    trained, scored, _ = ARMS[arm]
    p = recipe.settings.modality_dropout
    training, validation = held_out(corpus, seed)
    parts = corpus.with_splits(
        {"train": training, "val": validation, "test": corpus.ids("test")}
    ).splits
    prepared = Corpus(corpus.classes, {**parts, "val": lose(parts["val"], p, seed)})
    folder = output / source / trained / f"drop_{p}"
    (run,) = fit_seeds(recipe, prepared, folder, [seed], resume=True, source=source)
    model = run.model()
    if scored != trained:
        model = zero_filled(model)
    for share in SHARES:
        left = lose(corpus.splits["test"], share, seed)
        yield {"share": share, "f1": evaluate(model, left)["f1"]}


def plot(scores: pd.DataFrame, path: Path) -> None:
    """Plots weighted F1 by share of missing modalities: a panel for each file, a line an arm."""
    panels = list(scores.groupby("data", sort=False))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.5, 2.9), layout="constrained")
        for axes, (title, of_data) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            arms = of_data.groupby("arm", sort=False)
            for (line, color, marker), (arm, each) in zip(LINES, arms, strict=True):
                f1 = 100 * each.groupby("share")["f1"].agg(["mean", "std"]).fillna(0.0)
                x = 100 * f1.index.to_numpy()
                axes.plot(x, f1["mean"], line, color=color, marker=marker, markersize=3, label=arm)
                low, high = f1["mean"] - f1["std"], f1["mean"] + f1["std"]
                axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)
            axes.set(title=title, xlabel="missing modalities (%)", ylabel="weighted F1 (%)")
        handles = axes.get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(path)


if __name__ == "__main__":
    main()
