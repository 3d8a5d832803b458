"""The example on a plain graph, small: models are comparable, and no label leaks."""

import re
from pathlib import Path

import node_classification as example
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GCN2Conv
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
    ours = example.fusion(num_layers, gated=False, concat=False).double().eval()
    theirs = example.GCNII(num_layers).double().eval()
    theirs.lin = ours.lin
    for k, weight in enumerate(ours.weight.detach()):
        conv = GCN2Conv(example.HIDDEN, example.ALPHA, example.THETA, k + 1, shared_weights=False)
        conv.weight1.data = weight[: example.HIDDEN] / (1 - example.ALPHA)
        conv.weight2.data = weight[example.HIDDEN :] / example.ALPHA
        theirs.convs[k] = conv
    x, edges = data.x.double(), data.edge_index
    expected = theirs(x, remove_self_loops(edges)[0], None)
    # The example's weights of edges are float32.
    assert_equal(ours(x, edges, data.edge_weight.double()), expected, rtol=1e-6)


@pytest.mark.parametrize("name", example.MODELS)
def test_labels_of_test_nodes_do_not_reach_training(name: str) -> None:
    data = example.block_model(0.8, 1.0, 0, SMALL)

    def fit(y: torch.Tensor) -> example.Fit:
        other = data.clone()
        other.y = y
        torch.manual_seed(0)
        return example.fit(example.Classifier(example.MODELS[name](2)), other, 5, 0.01)

    wrong = (data.y + 1) % example.CLASSES
    expected = fit(data.y)
    hidden = fit(torch.where(data.test_mask, wrong, data.y))
    assert torch.equal(hidden.predicted, expected.predicted)
    assert hidden.val == expected.val
    assert not torch.equal(
        fit(torch.where(data.train_mask, wrong, data.y)).predicted, expected.predicted
    )
    assert fit(torch.where(data.val_mask, wrong, data.y)).val != expected.val


def test_validation_nodes_choose_the_learning_rate() -> None:
    graphs = [example.block_model(0.8, 3.0, seed, SMALL) for seed in range(2)]
    scores = {
        rates: example.run("features alone", 1, graphs, 20, rates)[0]
        for rates in ((0.0, 0.01), (0.01, 0.0), (0.01,), (0.0,))
    }
    assert scores[0.0, 0.01] == scores[0.01, 0.0] == scores[0.01,] != scores[0.0,]


def test_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "accuracy.png"
    arguments = ["--seeds", "2", "--epochs", "2", "--layers", "1", "3", "--output", str(path)]
    scores = example.main(arguments)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    printed = re.sub(" +", " ", capsys.readouterr().out)
    assert list(scores) == list(example.GRAPHS)
    for graph, models in scores.items():
        assert f"| {graph} | 1 layers | 3 layers |" in printed
        assert list(models) == list(example.MODELS)
        for name, depths in models.items():
            row = " | ".join(example.cell(each) for each in depths)
            assert f"\n| {name} | {row} | " in printed
            assert [len(each) for each in depths] == [2, 2]
            assert all(0 <= each <= 1 for runs in depths for each in runs)
    gains = [a - b for a, b in zip(models["gated"][1], models["GCN2Conv"][1], strict=True)]
    assert f" | {example.cell(gains)} | |" in printed


@pytest.mark.parametrize("name", ["seeds", "epochs"])
def test_bad_arguments(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        example.main([f"--{name}", "0"])
    assert f"--{name} must be at least 1, but got 0" in capsys.readouterr().err
