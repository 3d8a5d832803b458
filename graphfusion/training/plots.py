"""Figures of runs: learning curves, confusion matrices, calibration and gates."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor

from graphfusion.training.run import Run

_STYLED = mpl.rc_context(
    {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 200}
)
_GATES = ("input", "forget", "output")
_COLORS = ("#0072b2", "#d55e00")  # distinguishable with colour blindness, and in grey
_GATE_TICKS = 6  # intervals between ticks of a small panel, at most


@_STYLED
def learning_curves(runs: Sequence[Run], goal: str) -> Figure:
    """Plots the training loss and the held-out and test scores by epoch, a line for each run."""
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, run in enumerate(runs):
        history = run.history
        epochs = history["epoch"] + 1
        left.plot(epochs, history["train_loss"], color="black", linewidth=1)
        scored = (("val", "held out", "-"), ("test", "test", "--"))
        for (key, label, line), color in zip(scored, _COLORS, strict=True):
            if f"{key}_{goal}" in history:
                name = label if number == 0 else None
                right.plot(epochs, history[f"{key}_{goal}"], line, color=color, label=name)
        right.axvline(run.result["epoch"]["strict"] + 1, color="grey", linestyle=":", linewidth=1)
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch (dotted: chosen)", ylabel=goal)
    right.legend(frameon=False)
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


@_STYLED
def confusion(counts: NDArray[Any], classes: Sequence[str]) -> Figure:
    """Plots a confusion matrix: counts as text, shares of the true class as colour."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = 1.8 + 0.5 * len(classes)
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(100 * share, cmap="Blues", vmin=0, vmax=100)
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, f"{count:g}", ha="center", va="center", color=color)
    # Names are text, also with dollar signs.
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", parse_math=False)
    axes.set_yticks(range(len(classes)), classes, parse_math=False)
    axes.set(xlabel="predicted", ylabel="true")
    axes.spines[:].set_visible(False)
    figure.colorbar(image, label="share of the true class (%)", shrink=0.8)
    return figure


@_STYLED
def scatter(label: NDArray[Any], predicted: NDArray[Any]) -> Figure:
    """Plots predicted against true scores."""
    figure = Figure(figsize=(3.4, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.scatter(label, predicted, s=6, alpha=0.4, color=_COLORS[0], linewidths=0)
    ends = [min(label.min(), predicted.min()), max(label.max(), predicted.max())]
    axes.plot(ends, ends, color="grey", linestyle=":", linewidth=1)
    axes.set(xlabel="true score", ylabel="predicted score")
    return figure


@_STYLED
def reliability(confidence: NDArray[Any], right: NDArray[Any], bins: int = 10) -> Figure:
    """Plots a reliability diagram: accuracy by confidence (Guo et al., ICML 2017)."""
    figure = Figure(figsize=(3.4, 3.2), layout="constrained")
    axes = figure.subplots()
    table = pd.DataFrame({"confidence": confidence, "accuracy": right})
    groups = table.groupby(np.minimum((confidence * bins).astype(int), bins - 1))
    means, share = groups.mean(), groups.size() / len(table)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1, label="calibrated")
    x, y = means["confidence"], means["accuracy"]
    axes.plot(x, y, "o-", color=_COLORS[0], markersize=4, label="model")
    middle, label = (share.index + 0.5) / bins, "share of utterances"
    axes.bar(middle, share, 0.9 / bins, color="lightgrey", zorder=0, label=label)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=7)
    return figure


@_STYLED
def gates(opened: Tensor, modalities: Sequence[str]) -> Figure:
    """Plots the mean gate values by layer and utterance, with a row of panels for each modality.

    The colour scale spans the values that occur, which may be a small part of (0, 1).

    Args:
        opened: `[L, U, M, 3]`, gate values averaged over channels; NaN where there are none.
        modalities: The names of the M modalities.
    """
    figure = Figure(figsize=(7, 0.6 + 1.4 * len(modalities)), layout="constrained")
    grid = figure.subplots(len(modalities), 3, sharex=True, sharey=True, squeeze=False)
    finite = opened[opened.isfinite()].tolist() or [0.0, 1.0]
    for (m, g), axes in np.ndenumerate(grid):
        image = axes.imshow(
            opened[:, :, m, g].numpy(),
            cmap="viridis",
            vmin=min(finite),
            vmax=max(finite),
            aspect="auto",
            origin="lower",
            extent=(0.5, opened.size(1) + 0.5, 0.5, len(opened) + 0.5),
        )
        if m == 0:
            axes.set_title(f"{_GATES[g]} gate")
        if g == 0:
            axes.set_ylabel(f"{modalities[m]}\nlayer", parse_math=False)
        if m == len(modalities) - 1:
            axes.set_xlabel("utterance")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(_GATE_TICKS, integer=True, min_n_ticks=1))
    figure.colorbar(image, ax=grid, label="mean opening")
    return figure
