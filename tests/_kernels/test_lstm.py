import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion._kernels import switch
from graphfusion._kernels.lstm import NodeLSTM
from graphfusion.testing.strategies import seeds
from tests.asserts import assert_equal


@given(seeds, st.integers(1, 5), st.integers(1, 6), st.integers(1, 3), st.sampled_from([0.1, 30.0]))
@pytest.mark.parametrize("used", ["g", "c", "both"])
def test_is_pytorchs_cell(
    used: str, seed: int, nodes: int, size: int, steps: int, scale: float
) -> None:
    torch.manual_seed(seed)
    cell = NodeLSTM(size, size).double()
    inputs = [torch.randn(nodes, size, dtype=torch.float64) * scale for _ in range(3)]

    def run(fast: bool) -> list[torch.Tensor]:
        q, g, c = (each.clone().requires_grad_() for each in inputs)
        leaves = [q, g, c, *cell.parameters()]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(switch, "ENABLED", fast)
            weights = cell.weights(q, steps)
        assert {len(each) for each in weights} == {2 if fast else 4}
        for each in weights:
            g, c = cell.step(q, g, c, each)
        out = {"g": g, "c": c, "both": g + c}[used]
        gradients = torch.autograd.grad((out**2).sum(), leaves)
        return [g, c, *gradients]

    for fast, native in zip(run(fast=True), run(fast=False), strict=True):
        assert_equal(fast, native)


def test_gradcheck() -> None:
    cell = NodeLSTM(2, 2).double()
    q, g, c = torch.randn(3, 2, 3, 2, dtype=torch.float64).unbind(0)
    inputs = tuple(each.clone().requires_grad_() for each in (q, g, c))
    assert torch.autograd.gradcheck(lambda q, g, c: cell.step(q, g, c, *cell.weights(q, 1)), inputs)


def test_the_memory_keeps_its_precision_under_autocast() -> None:
    cell = NodeLSTM(8, 8)
    q, g, c = torch.randn(3, 5, 8).unbind(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        new_g, new_c = cell.step(q, g, c, *cell.weights(q, 1))
    assert new_g.dtype == torch.bfloat16
    assert new_c.dtype == torch.float32
    expected_g, expected_c = cell(q, (g, c))
    torch.testing.assert_close(new_c, expected_c, rtol=0.05, atol=0.05)
    torch.testing.assert_close(new_g.float(), expected_g, rtol=0.05, atol=0.05)


def test_functional_gradient() -> None:
    cell = NodeLSTM(3, 3)
    q, g, c = torch.randn(3, 5, 3).unbind(0)

    def loss(q: torch.Tensor, fast: bool) -> torch.Tensor:
        return (cell.step(q, g, c, *cell.weights(q, 1)) if fast else cell(q, (g, c)))[0].sum()

    torch.testing.assert_close(
        torch.func.grad(loss)(q, True), torch.func.grad(loss)(q, False), rtol=1e-4, atol=1e-5
    )


def test_pytorchs_cell_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, q = NodeLSTM(2, 2), torch.randn(3, 2)
    assert len(cell.weights(q, 1)[0]) == 2
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert len(cell.weights(q, 1)[0]) == 4


@given(seeds, st.integers(1, 5), st.integers(1, 6))
def test_gates_are_those_of_pytorchs_cell(seed: int, nodes: int, size: int) -> None:
    """Computed from that cell's output for memories of zeros and ones."""
    torch.manual_seed(seed)
    cell = NodeLSTM(size, size).double()
    q, g = torch.randn(2, nodes, size, dtype=torch.float64).unbind(0)
    i, f, o = cell.gates(q, g).unbind(-2)
    pytorch = torch.nn.LSTMCell(size, size).double()
    pytorch.load_state_dict(cell.state_dict())
    new_g, from_zeros = pytorch(q, (g, torch.zeros_like(g)))
    _, from_ones = pytorch(q, (g, torch.ones_like(g)))
    assert_equal(f, from_ones - from_zeros)
    assert_equal(o * from_zeros.tanh(), new_g)
    with torch.no_grad():
        pytorch.bias_ih[2 * size : 3 * size] = 1e9  # a candidate of ones
    assert_equal(i, pytorch(q, (g, torch.zeros_like(g)))[1])
