"""Semi-supervised node classification: effect of the gate of `DynamicFusion` in deep models.

    python examples/node_classification.py --output accuracy.png

The graphs are synthetic. Each node has features and a class. The classes of a few nodes are known,
and those of the others are predicted from features and edges. Each seed draws two graphs: in one,
edges are more informative than features, and in the other, less.

All models have the same hidden size, candidate learning rates, weight decay, dropout, alpha, theta
and normalised edges. The accuracy on validation nodes chooses the epoch of a run. It also chooses
the learning rate of each model and depth, if several are given.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

import graphfusion.training  # noqa: F401  first, for its error if the extra is missing

# isort: split
import matplotlib as mpl
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch_geometric.data import Data
from torch_geometric.nn import GCN2Conv, GCNConv
from torch_geometric.transforms import GCNNorm
from torch_geometric.utils import to_undirected

from graphfusion import DynamicFusion
from graphfusion.training.plots import STYLE

CHANNELS, CLASSES, LABELLED = 32, 3, 20
HIDDEN, ALPHA, THETA, DROPOUT, WEIGHT_DECAY = 32, 0.2, 0.5, 0.5, 5e-4
# Expected share of edges within a class (chance: a third), and the norm of the classes' mean
# features, each of which has standard deviation 1.
GRAPHS = {"informative edges": (0.85, 1.0), "informative features": (0.45, 2.0)}


def block_model(homophily: float, signal: float, seed: int, size: int = 600) -> Data:
    """Draws a contextual stochastic block model (Deshpande et al., NeurIPS 2018).

    Args:
        homophily: Expected share of edges within a class.
        signal: Length of the classes' mean features, which are orthogonal.
        seed: The same seed gives the same graph.
        size: Number of nodes; they have four neighbours on average.

    Returns:
        The graph, with self-loops and the edge weights of GCN. Its masks select 20 training nodes a
        class, a fifth of all nodes for validation, and the others for testing.
    """
    generator = torch.Generator().manual_seed(seed)
    node = torch.arange(size)
    y = node % CLASSES
    same = y.unsqueeze(1) == y
    own = size / CLASSES
    probability = 4 * torch.where(same, homophily / own, (1 - homophily) / (size - own))
    joined = torch.rand(size, size, generator=generator) < probability
    means = torch.linalg.qr(torch.randn(CHANNELS, CLASSES, generator=generator)).Q.T
    x = signal * means[y] + torch.randn(size, CHANNELS, generator=generator)
    # Classes alternate and all else is random, so the first nodes are a random sample.
    train, val = CLASSES * LABELLED, CLASSES * LABELLED + size // 5
    data = Data(
        x=x,
        y=y,
        edge_index=to_undirected(joined.triu(1).nonzero().T, num_nodes=size),
        train_mask=node < train,
        val_mask=(node >= train) & (node < val),
        test_mask=node >= val,
    )
    normalized: Data = GCNNorm()(data)
    return normalized


class Alone(torch.nn.Module):
    """Baseline without edges: one layer on each node's own features, whatever the depth."""

    out_channels = HIDDEN

    def __init__(self, _num_layers: int) -> None:
        super().__init__()
        self.lin = torch.nn.Linear(CHANNELS, HIDDEN)
        self.dropout = torch.nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, _edge_index: Tensor, _edge_weight: Tensor) -> Tensor:
        """Returns `[N, HIDDEN]`; the edges are ignored."""
        out: Tensor = self.dropout(self.lin(self.dropout(x)).relu())
        return out


class GCN(torch.nn.Module):
    """Stack of plain graph convolutions."""

    out_channels = HIDDEN

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        sizes = pairwise([CHANNELS] + num_layers * [HIDDEN])
        self.convs = torch.nn.ModuleList(GCNConv(*each, normalize=False) for each in sizes)
        self.dropout = torch.nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        """Returns `[N, HIDDEN]`."""
        x = self.dropout(x)
        for conv in self.convs:
            x = self.dropout(conv(x, edge_index, edge_weight).relu())
        return x


class GCNII(torch.nn.Module):
    """Stack of `GCN2Conv` as in its paper, in the variant with two weight matrices a layer."""

    out_channels = HIDDEN

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.lin = torch.nn.Linear(CHANNELS, HIDDEN)
        self.convs = torch.nn.ModuleList(
            GCN2Conv(HIDDEN, ALPHA, THETA, k + 1, shared_weights=False, normalize=False)
            for k in range(num_layers)
        )
        self.dropout = torch.nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        """Returns `[N, HIDDEN]`."""
        h0 = self.lin(self.dropout(x)).relu()
        z: Tensor = self.dropout(h0)
        for conv in self.convs:
            z = self.dropout(conv(z, h0, edge_index, edge_weight).relu())
        return z


def fusion(num_layers: int, gated: bool, concat: bool) -> DynamicFusion:
    """Builds a `DynamicFusion`, which is a GCNII up to initialisation if both options are false."""
    return DynamicFusion(CHANNELS, HIDDEN, num_layers, ALPHA, THETA, DROPOUT, gated, concat)


MODELS: dict[str, Callable[[int], Alone | GCN | GCNII | DynamicFusion]] = {
    "features alone": Alone,
    "GCNConv": GCN,
    "GCN2Conv": GCNII,
    "gated": partial(fusion, gated=True, concat=False),
    "static, concat": partial(fusion, gated=False, concat=True),
    "gated, concat": partial(fusion, gated=True, concat=True),
}
GATE = [("gated", "GCN2Conv"), ("gated, concat", "static, concat")]  # with and without the gate


class Classifier(torch.nn.Module):
    """One of the models, followed by a linear classifier."""

    def __init__(self, body: Alone | GCN | GCNII | DynamicFusion) -> None:
        super().__init__()
        self.body = body
        self.lin = torch.nn.Linear(body.out_channels, CLASSES)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        """Returns logits, `[N, CLASSES]`."""
        logits: Tensor = self.lin(self.body(x, edge_index, edge_weight))
        return logits


class Fit(NamedTuple):
    """Result of training: predictions `[N]` and validation accuracy of the chosen epoch."""

    predicted: Tensor
    val: float
    seconds: float  # processor time of a training step


def fit(model: Classifier, data: Data, epochs: int, lr: float) -> Fit:
    """Trains a model, and chooses the epoch by the validation accuracy."""
    graph = data.x, data.edge_index, data.edge_weight
    optimizer = torch.optim.Adam(model.parameters(), lr, weight_decay=WEIGHT_DECAY)
    chosen, best, seconds = torch.zeros_like(data.y), -1.0, 0.0
    for _ in range(epochs):
        start = time.process_time()
        model.train()
        optimizer.zero_grad()
        cross_entropy(model(*graph)[data.train_mask], data.y[data.train_mask]).backward()
        optimizer.step()
        seconds += time.process_time() - start
        model.eval()
        with torch.no_grad():
            predicted = model(*graph).argmax(1)
        if (val := accuracy(predicted, data.y, data.val_mask)) > best:
            chosen, best = predicted, val
    return Fit(chosen, best, seconds / epochs)


def accuracy(predicted: Tensor, y: Tensor, mask: Tensor) -> float:
    """Accuracy on the nodes of a mask."""
    return float((predicted == y)[mask].float().mean())


def run(
    name: str, num_layers: int, graphs: Sequence[Data], epochs: int, rates: Sequence[float]
) -> tuple[list[float], float]:
    """Test accuracy on each graph at the best learning rate, and seconds of a training step."""
    tried = []
    for lr in rates:
        fits = []
        for seed, data in enumerate(graphs):
            torch.manual_seed(seed)
            fits.append(fit(Classifier(MODELS[name](num_layers)), data, epochs, lr))
        tried.append(fits)
    best = max(tried, key=lambda fits: mean(each.val for each in fits))
    test = [
        accuracy(each.predicted, data.y, data.test_mask)
        for each, data in zip(best, graphs, strict=True)
    ]
    return test, mean(each.seconds for each in best)


def cell(values: Sequence[float]) -> str:
    """Formats a mean in percent, with the standard deviation of several values."""
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


def plot(scores: dict[str, dict[str, list[list[float]]]], layers: list[int], path: Path) -> None:
    """Plots test accuracy against depth, with a panel for each graph."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.5, 2.6), layout="constrained")
        for axes, (graph, models) in zip(figure.subplots(1, 2), scores.items(), strict=True):
            for name, depths in models.items():
                percent = [[100 * score for score in runs] for runs in depths]
                error = [stdev(runs) if len(runs) > 1 else 0.0 for runs in percent]
                axes.errorbar(
                    range(len(layers)), list(map(mean, percent)), error, label=name, capsize=2
                )
            axes.set_xticks(range(len(layers)), map(str, layers))
            axes.set(title=graph, xlabel="layers", ylabel="test accuracy (%)")
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> dict[str, dict[str, list[list[float]]]]:
    """Prints a table for each graph; returns test accuracies by graph, model, depth and seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--layers", type=int, nargs="+", default=[2, 8, 32, 64], help="numbers of layers"
    )
    parser.add_argument("--seeds", type=int, default=5, help="number of graphs and runs")
    parser.add_argument("--epochs", type=int, default=100, help="number of epochs")
    parser.add_argument(
        "--lr", type=float, nargs="+", default=[0.01], help="candidate learning rates"
    )
    parser.add_argument("--output", type=Path, help="file for a plot of accuracy against depth")
    options = parser.parse_args(arguments)
    for name in ("seeds", "epochs"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1, but got {getattr(options, name)}.")

    scores: dict[str, dict[str, list[list[float]]]] = {}
    print("Test accuracy in % (mean ± standard deviation over seeds)")
    for graph, (homophily, signal) in GRAPHS.items():
        graphs = [block_model(homophily, signal, seed) for seed in range(options.seeds)]
        depths = [f"{depth} layers" for depth in options.layers]
        columns = [graph, *depths, f"ms a step of {depths[-1]}"]
        rows = []
        scores[graph] = {}
        for name in MODELS:
            runs = [
                run(name, depth, graphs, options.epochs, options.lr) for depth in options.layers
            ]
            scores[graph][name] = [test for test, _ in runs]
            rows.append([name, *map(cell, scores[graph][name]), f"{1000 * runs[-1][1]:.0f}"])
        for gated, static in GATE:
            pairs = zip(scores[graph][gated], scores[graph][static], strict=True)
            gains = [[a - b for a, b in zip(*pair, strict=True)] for pair in pairs]
            rows.append([f"*{gated}* minus *{static}*", *map(cell, gains), ""])
        shown = pd.DataFrame(rows, columns=columns).to_markdown(index=False, disable_numparse=True)
        print(f"\n{shown}", flush=True)
    if options.output is not None:
        plot(scores, options.layers, options.output)
    return scores


if __name__ == "__main__":
    main()
