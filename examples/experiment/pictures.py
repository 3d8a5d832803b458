"""Pictures: learning curves, confusions and gates of a run; what missing modalities cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from experiment.training import Result
from graphfusion import Conversation, ConversationModel

STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 200,
    "savefig.bbox": "tight",
}
GATES = ("input", "forget", "output")
PAIR = (("#0072b2", "o"), ("#d55e00", "s"))  # told apart by the colour-blind, and in grey


def learning_curves(history: Sequence[dict[str, float]], result: Result, path: Path) -> None:
    """Loss, and weighted F1 on held-out and test conversations, by epoch."""
    epochs = [row["epoch"] + 1 for row in history]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.5, 2.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(epochs, [row["train_loss"] for row in history], color="black")
        left.set(xlabel="epoch", ylabel="training loss")
        for key, name in (("val_f1", "held out"), ("test_f1", "test")):
            right.plot(epochs, [100 * row[key] for row in history], label=name)
        chosen = result.epoch["strict"] + 1
        right.axvline(chosen, color="grey", linewidth=0.8, linestyle=":")
        right.annotate(
            "chosen",
            (chosen, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            color="grey",
        )
        right.set(xlabel="epoch", ylabel="weighted F1 (%)")
        right.legend(frameon=False)
        for axes in (left, right):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.savefig(path)


def confusion(result: Result, classes: Sequence[str], path: Path) -> None:
    """Test utterances of each true class by predicted class: shares as colour, counts as text."""
    counts = torch.tensor(result.confusion)
    share = counts / counts.sum(1, keepdim=True).clamp_min(1)
    side = 1.6 + 0.45 * len(classes)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(side + 0.6, side), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow((100 * share).numpy(), cmap="Blues", vmin=0, vmax=100)
        for (row, column), count in _entries(counts):
            color = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, str(int(count)), ha="center", va="center", color=color)
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
        axes.set_yticks(range(len(classes)), classes)
        axes.set(xlabel="predicted", ylabel="true")
        axes.spines[:].set_visible(False)
        figure.colorbar(image, label="share of the true class (%)", shrink=0.8)
        figure.savefig(path)


def gates(model: ConversationModel, conversation: Conversation, path: Path) -> None:
    """How open each gate is, by layer and utterance: a row for every modality.

    The colours span what occurs, which may be a small part of (0, 1).
    """
    model.eval()
    with torch.no_grad():
        _, opened = model(conversation, return_gates=True)
    names = list(model.in_channels)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.5, 0.6 + 1.3 * len(names)), layout="constrained")
        grid = figure.subplots(len(names), len(GATES), sharex=True, sharey=True, squeeze=False)
        for m, name in enumerate(names):
            for g, gate in enumerate(GATES):
                axes = grid[m, g]
                image = axes.imshow(
                    opened[:, :, m, g].numpy(),
                    cmap="viridis",
                    vmin=float(opened.min()),
                    vmax=float(opened.max()),
                    aspect="auto",
                    origin="lower",
                    extent=(0.5, opened.size(1) + 0.5, 0.5, len(opened) + 0.5),
                )
                if m == 0:
                    axes.set_title(f"{gate} gate")
                axes.xaxis.set_major_locator(MaxNLocator(integer=True))
                axes.yaxis.set_major_locator(MaxNLocator(integer=True))
                if g == 0:
                    axes.set_ylabel(f"{name}\nlayer")
        for axes in grid[-1]:
            axes.set_xlabel("utterance")
        figure.colorbar(image, ax=grid, label="mean opening")
        figure.savefig(path)


def missing(
    panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]],
    shares: Sequence[float],
    path: Path,
) -> None:
    """Weighted F1 by share of missing modalities: a panel for each data set, a line for each arm.

    A panel has, for each of its arms and each share, the scores of the seeds; lines are their means
    and bands their standard deviations. Arms come in pairs, and a pair is dashed or solid.
    """
    percent = [100 * share for share in shares]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.5, 2.9), layout="constrained")
        for axes, (title, arms) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            for number, (arm, scores) in enumerate(arms.items()):
                f1 = 100 * torch.tensor(scores)
                mean = f1.mean(1)
                color, marker = PAIR[number % 2]
                line = "--" if number < 2 else "-"
                axes.plot(percent, mean, line, color=color, marker=marker, markersize=3, label=arm)
                if f1.size(1) > 1:
                    band = f1.std(1)
                    axes.fill_between(
                        percent, mean - band, mean + band, color=color, alpha=0.15, linewidth=0
                    )
            axes.set(title=title, xlabel="missing modalities (%)")
            axes.set_ylabel("weighted F1 (%)")
        handles = axes.get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(path)


def _entries(counts: Tensor) -> list[tuple[tuple[int, int], Tensor]]:
    size = range(len(counts))
    return [((row, column), counts[row, column]) for row in size for column in size]
