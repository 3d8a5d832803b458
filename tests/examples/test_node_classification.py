"""The example on a plain graph, small: models are comparable, and no label leaks."""

import re
from pathlib import Path
from statistics import mean, stdev

import node_classification as example
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.utils import is_undirected, remove_self_loops

from graphfusion.testing.strategies import seeds
from tests.asserts import assert_equal

SMALL = 150


@given(st.sampled_from([0.3, 0.5, 0.9]), seeds)
@settings(max_examples=min(20, settings.default.max_examples))
def test_graphs_have_the_documented_structure(homophily: float, seed: int) -> None:
    data = example.block_model(homophily, 1.0, seed)
    masks = torch.stack([data.train_mask, data.val_mask, data.test_mask])
    assert masks.sum(0).eq(1).all()
    assert data.y[data.train_mask].bincount().tolist() == 3 * [20]
    assert masks.sum(1).tolist() == [60, 120, 420]
    edges = remove_self_loops(data.edge_index)[0]
    assert is_undirected(edges)
    assert edges.size(1) == pytest.approx(4 * 600, rel=0.2)
    source, target = data.y[edges]
    assert (source == target).float().mean() == pytest.approx(homophily, abs=0.1)
    again = example.block_model(homophily, 1.0, seed)
    assert torch.equal(again.x, data.x)
    assert torch.equal(again.edge_index, data.edge_index)


@given(seeds, st.integers(1, 8))
def test_without_gate_and_concatenation_it_is_gcn2conv(seed: int, num_layers: int) -> None:
    """Also on the original edges, which GCN2Conv normalises itself."""
    data = example.block_model(0.8, 1.0, seed, SMALL)
    torch.manual_seed(seed)
    ours = example.fusion(num_layers, gated=False, concat=False)[0].double().eval()
    theirs = example.GCNII(num_layers).double().eval()
    theirs.lin = ours.lin
    for conv, weight in zip(theirs.convs, ours.weight.detach(), strict=True):
        conv.weight1.data = weight[: example.HIDDEN] / (1 - example.ALPHA)
        conv.weight2.data = weight[example.HIDDEN :] / example.ALPHA
        conv.normalize = True
    x, edges = data.x.double(), data.edge_index
    expected = theirs(x, remove_self_loops(edges)[0], None)
    # The example's weights of edges are float32.
    assert_equal(ours(x, edges, data.edge_weight.double()), expected, rtol=1e-6)


@pytest.mark.parametrize("name", example.MODELS)
def test_labels_of_test_nodes_do_not_reach_training(name: str) -> None:
    data = example.block_model(0.8, 1.0, 0, SMALL)

    def fit(y: torch.Tensor) -> tuple[torch.Tensor, float]:
        other = data.clone()
        other.y = y
        torch.manual_seed(0)
        predicted, val, _ = example.fit(example.MODELS[name](2), other, 5, 0.01)
        return predicted, val

    wrong = (data.y + 1) % example.CLASSES
    predicted, val = fit(data.y)
    hidden = fit(torch.where(data.test_mask, wrong, data.y))
    assert torch.equal(hidden[0], predicted)
    assert hidden[1] == val
    assert not torch.equal(fit(torch.where(data.train_mask, wrong, data.y))[0], predicted)
    assert fit(torch.where(data.val_mask, wrong, data.y))[1] != val


def test_validation_nodes_choose_the_learning_rate() -> None:
    graphs = [example.block_model(0.8, 3.0, seed, SMALL) for seed in range(2)]
    scores = {
        rates: example.run("features alone", 1, graphs, 20, rates)["test"].tolist()
        for rates in ((0.0, 0.01), (0.01, 0.0), (0.01,), (0.0,))
    }
    assert scores[0.0, 0.01] == scores[0.01, 0.0] == scores[0.01,] != scores[0.0,]


@pytest.mark.parametrize("num_seeds", [1, 2])
def test_runs(num_seeds: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "accuracy.png"
    arguments = ["--seeds", str(num_seeds), "--epochs", "2", "--layers", "3", "1"]
    scores = example.main([*arguments, "--output", str(path)])
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert scores["test"].between(0, 1).all()
    printed = re.sub(" +", " ", capsys.readouterr().out)

    def row(name: str, depths: list[list[float]]) -> str:
        return f"\n| {name} | {' | '.join(map(cell, depths))} | "

    assert list(scores["graph"].unique()) == list(example.GRAPHS)
    for graph, of_graph in scores.groupby("graph", sort=False):
        assert f"| {graph} | 3 layers | 1 layers | ms a step of 1 layers |" in printed
        assert list(of_graph["model"].unique()) == list(example.MODELS)
        tests = {
            name: [each["test"].tolist() for _, each in part.groupby("layers", sort=False)]
            for name, part in of_graph.groupby("model")
        }
        for name, depths in tests.items():
            assert [len(each) for each in depths] == [num_seeds, num_seeds]
            assert row(name, depths) in printed
        for gated, static in example.GATE:
            gains = [
                [a - b for a, b in zip(*pair, strict=True)]
                for pair in zip(tests[gated], tests[static], strict=True)
            ]
            assert row(f"*{gated}* minus *{static}*", gains) + "|" in printed


def cell(values: list[float]) -> str:
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


@pytest.mark.parametrize("name", ["seeds", "epochs"])
def test_bad_arguments(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        example.main([f"--{name}", "0"])
    assert f"--{name} must be at least 1, but got 0" in capsys.readouterr().err
