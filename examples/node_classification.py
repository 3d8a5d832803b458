"""Semi-supervised node classification: effect of the gate of `DynamicFusion` in deep models.

    python examples/node_classification.py --output accuracy.png

Each seed draws two synthetic graphs, in which edges are more or less informative than features. The
models have the same settings, and are trained on a few nodes. Accuracy on validation nodes chooses
the epoch of a run, and the learning rate of each model and depth, if several are given.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean

from graphfusion import DynamicFusion
from graphfusion.training import percent  # first, for its error if the extra is missing

# isort: split
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import cross_entropy, dropout
from torch_geometric.data import Data
from torch_geometric.nn import GCN, GCN2Conv
from torch_geometric.transforms import GCNNorm
from torch_geometric.utils import to_undirected

CHANNELS, CLASSES, LABELLED = 32, 3, 20
HIDDEN, ALPHA, THETA, DROPOUT, WEIGHT_DECAY = 32, 0.2, 0.5, 0.5, 5e-4
# Expected share of edges within a class (chance: a third), and the norm of the classes' mean
# features, each of which has standard deviation 1.
GRAPHS = {"informative edges": (0.85, 1.0), "informative features": (0.45, 2.0)}


def block_model(homophily: float, signal: float, seed: int, size: int = 600) -> Data:
    """Draws a contextual stochastic block model (Deshpande et al., NeurIPS 2018).

    Nodes have four neighbours on average, a share `homophily` of them in the same class. The mean
    features of the classes are orthogonal, of length `signal`.
    """
    generator = torch.Generator().manual_seed(seed)
    node = torch.arange(size)
    y = node % CLASSES
    own, same = size / CLASSES, y.unsqueeze(1) == y
    probability = 4 * torch.where(same, homophily / own, (1 - homophily) / (size - own))
    joined = torch.rand(size, size, generator=generator) < probability
    means = torch.linalg.qr(torch.randn(CHANNELS, CLASSES, generator=generator)).Q.T
    x = signal * means[y] + torch.randn(size, CHANNELS, generator=generator)
    edge_index = to_undirected(joined.triu(1).nonzero().T, num_nodes=size)
    # Classes alternate and all else is random, so the first nodes are a random sample.
    train, test = node < CLASSES * LABELLED, node >= CLASSES * LABELLED + size // 5
    data = Data(x, edge_index, y=y, train_mask=train, val_mask=~(train | test), test_mask=test)
    normalized: Data = GCNNorm()(data)  # adds self-loops and edge weights
    return normalized


class GCNII(torch.nn.Module):
    """Stack of `GCN2Conv` as in its paper, in the variant with two weight matrices a layer."""

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        self.lin = torch.nn.Linear(CHANNELS, HIDDEN)
        self.convs = torch.nn.ModuleList(
            GCN2Conv(HIDDEN, ALPHA, THETA, k + 1, shared_weights=False, normalize=False)
            for k in range(num_layers)
        )
        self.dropout = torch.nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, *edges: Tensor) -> Tensor:
        """Returns `[N, HIDDEN]`."""
        h0 = self.lin(self.dropout(x)).relu()
        z: Tensor = self.dropout(h0)
        for conv in self.convs:
            z = self.dropout(conv(z, h0, *edges).relu())
        return z


def classifier(body: torch.nn.Module, channels: int = HIDDEN) -> torch.nn.Sequential:
    """A model of node vectors, followed by a linear classifier."""
    return torch.nn.Sequential(body, torch.nn.Linear(channels, CLASSES))


def gcn(num_layers: int) -> torch.nn.Sequential:
    """Stack of plain graph convolutions; the input has dropout, too."""
    body = GCN(CHANNELS, HIDDEN, num_layers, CLASSES, DROPOUT, jk="last", normalize=False)
    body.register_forward_pre_hook(lambda _, x: (dropout(x[0], DROPOUT, body.training), *x[1:]))
    return torch.nn.Sequential(body, torch.nn.Identity())  # PyG's model has the classifier


def fusion(num_layers: int, gated: bool, concat: bool) -> torch.nn.Sequential:
    """`DynamicFusion`, which is a GCNII up to initialisation if both options are false."""
    body = DynamicFusion(CHANNELS, HIDDEN, num_layers, ALPHA, THETA, DROPOUT, gated, concat)
    return classifier(body, body.out_channels)


MODELS: dict[str, Callable[[int], torch.nn.Sequential]] = {
    "features alone": lambda _: classifier(GCNII(0)),  # one layer, whatever the depth
    "GCNConv": gcn,
    "GCN2Conv": lambda num_layers: classifier(GCNII(num_layers)),
    "gated": partial(fusion, gated=True, concat=False),
    "static, concat": partial(fusion, gated=False, concat=True),
    "gated, concat": partial(fusion, gated=True, concat=True),
}
GATE = [("gated", "GCN2Conv"), ("gated, concat", "static, concat")]  # with and without the gate


def fit(model: torch.nn.Module, data: Data, epochs: int, lr: float) -> tuple[Tensor, float, float]:
    """Returns predictions and validation accuracy of the best epoch, and milliseconds of a step."""
    graph = data.x, data.edge_index, data.edge_weight
    body, head = model.children()
    optimizer = torch.optim.Adam(model.parameters(), lr, weight_decay=WEIGHT_DECAY)
    chosen, best, seconds = torch.zeros_like(data.y), -1.0, 0.0
    for _ in range(epochs):
        start = time.process_time()
        model.train()
        optimizer.zero_grad()
        cross_entropy(head(body(*graph))[data.train_mask], data.y[data.train_mask]).backward()
        optimizer.step()
        seconds += time.process_time() - start
        model.eval()
        with torch.no_grad():
            predicted = head(body(*graph)).argmax(1)
        if (val := float((predicted == data.y)[data.val_mask].float().mean())) > best:
            chosen, best = predicted, val
    return chosen, best, 1000 * seconds / epochs


def run(
    name: str, layers: int, graphs: list[Data], epochs: int, rates: list[float]
) -> pd.DataFrame:
    """Scores on each graph at the learning rate of the best validation accuracy."""
    rows = []
    for lr in rates:
        for seed, data in enumerate(graphs):
            torch.manual_seed(seed)
            predicted, val, ms = fit(MODELS[name](layers), data, epochs, lr)
            test = float((predicted == data.y)[data.test_mask].float().mean())
            rows.append((name, layers, lr, seed, val, test, ms))
    tried = pd.DataFrame(rows, columns=["model", "layers", "lr", "seed", "val", "test", "ms"])
    best = tried.groupby("lr", sort=False)["val"].agg(mean).idxmax()
    return tried[tried["lr"] == best]


def table(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean ± standard deviation of the accuracies on graphs of one kind, and time of a step."""
    wide = scores.pivot(index=["layers", "seed"], columns="model", values="test")[list(MODELS)]
    for gated, static in GATE:
        wide[f"*{gated}* minus *{static}*"] = wide[gated] - wide[static]
    groups, depths = wide.groupby("layers"), list(scores["layers"].unique())
    accuracies = groups.mean().T[depths].add_suffix(" layers")
    accuracies = accuracies.join(groups.std().T.add_suffix(" layers std"))
    ms = scores[scores["layers"] == depths[-1]].groupby("model")["ms"].mean().map("{:.0f}".format)
    return percent(accuracies).join(ms.rename(f"ms a step of {depths[-1]} layers")).fillna("")


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    """Prints a table for each kind of graph; returns the accuracy of each run."""
    command = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = command.add_argument
    add("--layers", type=int, nargs="+", default=[2, 8, 32, 64], help="numbers of layers")
    add("--seeds", type=int, default=5, help="number of graphs and runs")
    add("--epochs", type=int, default=100, help="number of epochs")
    add("--lr", type=float, nargs="+", default=[0.01], help="candidate learning rates")
    add("--output", type=Path, help="file for a plot of accuracy against depth")
    options = command.parse_args(arguments)
    for name in ("seeds", "epochs"):
        if getattr(options, name) < 1:
            command.error(f"--{name} must be at least 1, but got {getattr(options, name)}.")
    parts, figure = [], Figure(figsize=(9, 3.5), layout="constrained")
    print("Test accuracy in % (mean ± standard deviation over seeds)")
    for axes, (kind, how) in zip(figure.subplots(1, 2), GRAPHS.items(), strict=True):
        graphs = [block_model(*how, seed) for seed in range(options.seeds)]
        models = product(MODELS, options.layers)
        runs = [run(name, depth, graphs, options.epochs, options.lr) for name, depth in models]
        parts.append(pd.concat(runs).assign(graph=kind))
        shown = table(parts[-1]).rename_axis(kind).to_markdown(disable_numparse=True)
        print(f"\n{shown}", flush=True)
        test = parts[-1].groupby(["layers", "model"])["test"]
        average, std = (each.unstack()[list(MODELS)] for each in (test.mean(), test.std()))
        average.plot(ax=axes, yerr=std, capsize=2, logx=True, title=kind, ylabel="test accuracy")
    if options.output is not None:
        figure.savefig(options.output)
    return pd.concat(parts)


if __name__ == "__main__":
    main()
