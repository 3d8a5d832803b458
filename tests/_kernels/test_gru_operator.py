from itertools import product

import pytest
import torch
from torch import Tensor

from graphfusion import BatchLayout, ContextEncoder
from graphfusion._kernels.gru import PackedGRU
from graphfusion._kernels.gru_operator import gru_steps, gru_steps_backward
from tests._versions import needs_torch
from tests.asserts import assert_equal

SIZES = torch.tensor([3, 3, 2, 1])
# Tracing PyTorch's own code warns.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def inputs(
    batch_sizes: Tensor = SIZES, directions: int = 2, hidden: int = 4, **kwargs: object
) -> list[Tensor]:
    """The operator's arguments, the differentiable ones with gradients."""
    shapes = (int(batch_sizes.sum()), 3 * hidden), (3 * hidden, hidden), (hidden,)
    kwargs = {"dtype": torch.float64} | kwargs
    leaves = [torch.randn(directions, *shape, **kwargs).requires_grad_() for shape in shapes]
    return [*leaves, batch_sizes]


# PyTorch 2.15's own check asks for the gradients of what it makes of them.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize(
    ("dtype", "directions"),
    [
        (torch.float32, 2),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in product([torch.float64, torch.bfloat16], [1, 2])
        ),
    ],
)
def test_passes_pytorchs_checks_of_operators(dtype: torch.dtype, directions: int) -> None:
    arguments = inputs(directions=directions, dtype=dtype)
    torch.library.opcheck(gru_steps, arguments, rtol=0.02, atol=0.02)
    with torch.no_grad():
        states, gates, recurrent = gru_steps(*arguments)
        arguments = [
            torch.ones_like(states),
            states,
            gates,
            recurrent,
            arguments[1].detach(),
            SIZES,
        ]
    torch.library.opcheck(gru_steps_backward, arguments, rtol=0.02, atol=0.02)


def test_gradcheck() -> None:
    *leaves, sizes = inputs()
    assert torch.autograd.gradcheck(lambda *each: gru_steps(*each, sizes)[0], leaves)


def test_leaves_its_inputs_as_they_are() -> None:
    *leaves, sizes = inputs()
    before = [each.detach().clone() for each in leaves]
    gru_steps(*leaves, sizes)[0].sum().backward()
    for each, expected in zip(leaves, before, strict=True):
        assert torch.equal(each, expected)


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_encodes_like_the_module(bidirectional: bool, num_layers: int) -> None:
    gru = PackedGRU(3, 4, num_layers, bidirectional=bidirectional).double()
    for sizes in ([3, 3, 2, 1], [1], [5, 1, 1], [2, 2]):
        sizes = torch.tensor(sizes)
        data = torch.randn(int(sizes.sum()), 3, dtype=torch.float64)
        expected = gru(torch.nn.utils.rnn.PackedSequence(data, sizes))[0].data
        assert_equal(gru.encode(data, sizes), expected)


def test_keeps_the_states_precision_under_autocast_compiled_or_not() -> None:
    torch.compiler.reset()
    gru = PackedGRU(4, 6, 2, bidirectional=True)
    data = torch.randn(9, 4)
    fast = torch.compile(gru.encode, backend="aot_eager", fullgraph=True)
    exact = torch.autograd.grad(gru.encode(data, SIZES).square().sum(), gru.parameters())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = fast(data, SIZES)
        gradients = torch.autograd.grad(out.square().sum(), gru.parameters())
    assert out.dtype == torch.float32
    assert not torch.equal(out, gru.encode(data, SIZES))
    torch.testing.assert_close(out, gru.encode(data, SIZES), rtol=0.02, atol=0.02)
    for one, other in zip(gradients, exact, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).abs().max() <= 0.05 * (1 + other.abs().max())


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_second_derivative_is_an_error(backend: str) -> None:
    torch.compiler.reset()
    gru = PackedGRU(3, 4).double()
    data = torch.randn(9, 3, dtype=torch.float64, requires_grad=True)
    fast = torch.compile(gru.encode, backend=backend, fullgraph=True)
    loss = fast(data, SIZES).square().sum()
    slope = torch.autograd.grad(loss, data, create_graph=True)[0].square().sum()
    with pytest.raises(RuntimeError, match="second derivative|double backward"):
        slope.backward()


@needs_torch("2.10", "torch.func over a recurrent encoder's sequences")
@pytest.mark.filterwarnings("ignore")  # of PyTorch's own, where it gives up
def test_functional_gradients_are_left_to_eager_mode() -> None:
    torch.compiler.reset()
    encoder = ContextEncoder(3, 4).double()
    layout, x = BatchLayout(torch.tensor([0, 4, 9])), torch.randn(9, 3, dtype=torch.float64)

    def loss(x: Tensor) -> Tensor:
        return encoder(x, layout).square().sum()

    leaf = x.clone().requires_grad_()
    expected = torch.autograd.grad(loss(leaf), leaf)[0]
    assert_equal(torch.compile(torch.func.grad(loss), backend="aot_eager")(x), expected)
