"""Statistics of a dynamic fusion's layers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import BatchLayout, ConversationGraph, DynamicFusion
from graphfusion.fusion.layer_statistics import layer_statistics
from graphfusion.testing import RaggedBatch
from graphfusion.testing.strategies import batches


def size(x: torch.Tensor) -> float:
    return float(x.detach().double().square().mean().sqrt())


@given(batches(), st.integers(1, 3), st.booleans())
def test_a_state_is_that_of_a_fusion_of_so_many_layers(
    batch: RaggedBatch, num_layers: int, gated: bool
) -> None:
    """A layer's weights do not depend on how many follow it."""
    fusion = DynamicFusion(5, 4, num_layers, gated=gated, concat=False).double().eval()
    graph = ConversationGraph()(batch.x, batch.layout)
    before = {name: value.clone() for name, value in fusion.state_dict().items()}
    rows = layer_statistics(fusion, batch.x, graph)
    assert len(rows) == num_layers
    for number, row in enumerate(rows, start=1):
        shorter = DynamicFusion(5, 4, number, gated=gated, concat=False).double().eval()
        state = {**fusion.state_dict(), "weight": fusion.weight[:number]}
        shorter.load_state_dict(state)
        expected = size(shorter(batch.x, graph)[batch.here])
        assert row["state"] == pytest.approx(expected, nan_ok=True)
    assert "_layer" not in vars(fusion)
    assert all(torch.equal(before[name], value) for name, value in fusion.state_dict().items())


def test_gates_are_measured_over_single_channels() -> None:
    fusion, x = DynamicFusion(5, 4, 2).double().eval(), torch.randn(6, 2, 5).double()
    first = layer_statistics(fusion, x, ConversationGraph()(x, torch.tensor([0, 2, 6])))[0]
    h0 = fusion.lin(x).relu().detach()
    gates = fusion.cell.gates(h0, torch.zeros_like(h0)).detach()
    for place, name in enumerate(("input", "forget", "output")):
        low, high = (float(gates[..., place, :].quantile(share)) for share in (0.01, 0.99))
        assert (first[f"{name} low"], first[f"{name} high"]) == pytest.approx((low, high))


@pytest.mark.parametrize("gated", [True, False])
def test_absent_nodes_do_not_count(gated: bool) -> None:
    x, present = torch.randn(3, 2, 5), torch.tensor([[True, False]] * 3)
    fusion, ptr = DynamicFusion(5, 4, 2, gated=gated).eval(), torch.tensor([0, 3])
    graph = ConversationGraph()(x, BatchLayout(ptr, present=present))
    alone = ConversationGraph()(x[:, :1], ptr)
    rows = layer_statistics(fusion, x, graph)
    for row, expected in zip(rows, layer_statistics(fusion, x[:, :1], alone), strict=True):
        assert row == pytest.approx(expected)
    assert [("input low" in row) for row in rows] == [gated, gated]


def test_without_present_nodes_they_are_nan() -> None:
    x, layout = (
        torch.randn(2, 1, 5),
        BatchLayout(torch.tensor([0, 2]), present=torch.zeros(2, 1) > 0),
    )
    rows = layer_statistics(DynamicFusion(5, 4, 2).eval(), x, ConversationGraph()(x, layout))
    assert all(np.isnan(list(row.values())).all() for row in rows)
