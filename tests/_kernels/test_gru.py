import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence
from torch.utils.checkpoint import checkpoint

from graphfusion import BatchLayout, SpeakerEncoder
from graphfusion._kernels.gru import PackedGRU
from graphfusion._kernels.lstm import NodeLSTM
from graphfusion.data.packing import pack_sequences
from graphfusion.encoders import recurrent
from graphfusion.testing.strategies import seeds
from tests._versions import needs_torch
from tests.asserts import assert_equal

FUNCTIONAL = needs_torch("2.10", "torch.func over a recurrent encoder's sequences")


PTR, SPEAKER = torch.tensor([0, 5, 6, 9]), torch.tensor([0, 1, 0, 0, 2, 0, 1, 1, 0])


def packed(lengths: list[int], size: int) -> PackedSequence:
    return pack_sequence([torch.randn(n, size, dtype=torch.float64) for n in lengths], False)


def pytorchs(gru: PackedGRU) -> torch.nn.GRU:
    kwargs = {"bidirectional": gru.bidirectional, "dropout": gru.dropout}
    other = torch.nn.GRU(gru.input_size, gru.hidden_size, gru.num_layers, **kwargs).double()
    other.load_state_dict(gru.state_dict())
    return other


def run(gru: torch.nn.GRU, sequences: PackedSequence, used: str) -> list[Tensor]:
    """The output, the last states, and all gradients of what is used."""
    data = sequences.data.clone().requires_grad_()
    out, hidden = gru(sequences._replace(data=data))
    weights = torch.linspace(-1, 1, out.data.numel(), dtype=data.dtype).view(out.data.shape)
    losses = {"output": (out.data * weights).sum(), "hidden": hidden.square().sum()}
    loss = losses[used] if used in losses else sum(losses.values())
    return [out.data, hidden, *torch.autograd.grad(loss, [data, *gru.parameters()])]


@given(
    seeds,
    st.lists(st.integers(1, 7), min_size=1, max_size=5),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([0.0, 0.1, 30.0]),
)
@pytest.mark.parametrize("used", ["output", "hidden", "both"])
def test_is_pytorchs_gru(
    used: str,
    seed: int,
    lengths: list[int],
    size: int,
    hidden_size: int,
    num_layers: int,
    bidirectional: bool,
    scale: float,
) -> None:
    torch.manual_seed(seed)
    gru = PackedGRU(size, hidden_size, num_layers, bidirectional=bidirectional).double()
    sequences = packed(sorted(lengths, reverse=True), size)
    sequences = sequences._replace(data=sequences.data * scale, sorted_indices=None)
    assert gru._is_ours(sequences)
    for ours, theirs in zip(
        run(gru, sequences, used), run(pytorchs(gru), sequences, used), strict=True
    ):
        assert_equal(ours, theirs)


@given(
    seeds,
    st.lists(st.integers(1, 7), min_size=1, max_size=5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.booleans(),
)
def test_padded_sequences_give_the_same(
    seed: int, lengths: list[int], num_layers: int, width: int, bias: bool
) -> None:
    """As with cuDNN, here by PyTorch's GRU; what lies along a further axis is by itself."""
    torch.manual_seed(seed)
    gru = PackedGRU(3, 4, num_layers, bias=bias, bidirectional=True).double()
    group = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    order, batch_sizes, places = pack_sequences(group, torch.ones_like(group, dtype=torch.bool))
    x = torch.randn(len(order), width, 3, dtype=torch.float64, requires_grad=True)
    out = gru.encode_padded(x, places, len(batch_sizes), int(batch_sizes[0]))
    other = torch.nn.GRU(3, 4, num_layers, bias=bias, bidirectional=True).double()
    other.load_state_dict(gru.state_dict())
    expected = [other(PackedSequence(each, batch_sizes))[0].data for each in x.unbind(1)]
    assert_equal(out, torch.stack(expected, 1))
    loss, theirs = out.square().sum(), torch.stack(expected, 1).square().sum()
    (of_x,) = torch.autograd.grad(theirs, [x], retain_graph=True)
    found = torch.autograd.grad(loss, [x, *gru.parameters()])
    assert_equal(found[0], of_x)
    for ours, pytorchs in zip(
        found[1:], torch.autograd.grad(theirs, list(other.parameters())), strict=True
    ):
        assert_equal(ours, pytorchs)


def test_dropout_between_padded_layers() -> None:
    gru = PackedGRU(3, 4, 2, bidirectional=True, dropout=0.5)
    x, places = torch.randn(3, 1, 3), torch.tensor([[0, 1, 2], [2, 1, 0]])
    assert not torch.equal(gru.encode_padded(x, places, 3, 1), gru.encode_padded(x, places, 3, 1))
    gru.eval()
    assert torch.equal(gru.encode_padded(x, places, 3, 1), gru.encode_padded(x, places, 3, 1))


@pytest.mark.parametrize("bias", [True, False])
def test_weights_of_small_layers_lie_together_by_direction(
    bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as a CPU shows it: what PyTorch is asked to lay out."""
    asked = []

    def flatten(one: torch.nn.RNNBase) -> None:
        shapes = [tuple(each.shape) for each in one._flat_weights]
        asked.append((one.input_size, one.num_layers, one.bidirectional, shapes[0]))

    monkeypatch.setattr(torch.nn.RNNBase, "flatten_parameters", flatten)
    PackedGRU(3, 4, 2, bias=bias, bidirectional=True)
    assert asked == [(size, 1, False, (12, size)) for size in (3, 3, 8, 8)]
    asked.clear()
    PackedGRU(3, 129, 2, bias=bias, bidirectional=True)
    assert asked == [(3, 2, True, (387, 3))]


def test_encoders_take_padded_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    present = torch.rand(9, 2) < 0.7
    for layout in (BatchLayout(PTR, SPEAKER), BatchLayout(PTR, SPEAKER, present)):
        encoder, x = SpeakerEncoder(3, 4).double(), torch.randn(9, 2, 3).double()
        expected = encoder(x, layout)
        monkeypatch.setattr(recurrent, "takes_padded", lambda _: True)
        assert_equal(encoder(x, layout), expected)
        monkeypatch.undo()


def test_gradcheck() -> None:
    gru = PackedGRU(2, 2, 2, bidirectional=True).double()
    sequences = packed([3, 2, 2], 2)._replace(sorted_indices=None)

    def states(data: Tensor, *_: Tensor) -> Tensor:
        return gru(sequences._replace(data=data))[0].data

    data = sequences.data.requires_grad_()
    assert torch.autograd.gradcheck(states, (data, *gru.parameters()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_keeps_a_small_dtype(dtype: torch.dtype) -> None:
    gru = PackedGRU(4, 6, 2, bidirectional=True).double()
    sequences = packed([9, 5, 1], 4)._replace(sorted_indices=None)
    exact = run(gru, sequences, "both")
    small = run(gru.to(dtype), sequences._replace(data=sequences.data.to(dtype)), "both")
    bound = 50 * torch.finfo(dtype).eps
    for each, expected in zip(small, exact, strict=True):
        assert each.dtype == dtype
        assert (each - expected).abs().max() <= bound * (1 + expected.abs().max())


def test_the_states_keep_their_precision_under_autocast() -> None:
    gru = PackedGRU(4, 6, 2, bidirectional=True)
    sequences = packed([9, 5, 1], 4).to(torch.float32)._replace(sorted_indices=None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = run(gru, sequences, "both")
    for each, exact in zip(rounded, run(gru, sequences, "both"), strict=True):
        assert each.dtype == torch.float32
        assert not torch.equal(each, exact)
        assert (each - exact).abs().max() <= 0.02 * (1 + exact.abs().max())


def test_drops_out_between_its_layers_while_it_trains() -> None:
    gru = PackedGRU(3, 4, 2, dropout=1.0).double()
    sequences = packed([5, 2], 3)._replace(sorted_indices=None)
    other = packed([5, 2], 3)._replace(sorted_indices=None)
    assert torch.equal(gru(sequences)[0].data, gru(other)[0].data)
    gru.eval()
    assert not torch.equal(gru(sequences)[0].data, gru(other)[0].data)
    gru = PackedGRU(3, 4, 2, dropout=0.5).double()
    assert not torch.equal(gru(sequences)[0].data, gru(sequences)[0].data)
    one = PackedGRU(3, 4, 1).double()
    assert torch.equal(one(sequences)[0].data, one(sequences)[0].data)


def test_falls_back_to_pytorchs_gru(monkeypatch: pytest.MonkeyPatch) -> None:
    gru = PackedGRU(3, 4, 2, bidirectional=True).double()
    theirs = pytorchs(gru)
    unsorted = packed([2, 5, 3], 3)
    assert unsorted.sorted_indices is not None
    assert not gru._is_ours(unsorted)
    for mine, his in zip(run(gru, unsorted, "both"), run(theirs, unsorted, "both"), strict=True):
        assert torch.equal(mine, his)
    sequences = packed([5, 3], 3)._replace(sorted_indices=None, unsorted_indices=None)
    state = torch.randn(4, 2, 4, dtype=torch.float64)
    assert torch.equal(gru(sequences, state)[0].data, theirs(sequences, state)[0].data)
    padded = torch.randn(5, 2, 3, dtype=torch.float64)
    assert torch.equal(gru(padded)[0], theirs(padded)[0])
    biased = PackedGRU(3, 4, bias=False).double()
    assert run(biased, sequences, "both")[0].shape == (8, 4)
    assert gru._is_ours(sequences)
    with torch.no_grad():
        assert not gru._is_ours(sequences)
    assert not gru._is_ours(sequences.to("meta"))
    for owner, name in ((torch.compiler, "is_compiling"), (torch.jit, "is_tracing")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, lambda: True)
            assert not gru._is_ours(sequences)


def test_refuses_input_that_pytorchs_gru_refuses() -> None:
    gru, sequences = PackedGRU(3, 4), packed([5, 3], 2).to(torch.float32)
    with pytest.raises(RuntimeError, match=r"input.size\(-1\) must be equal to input_size"):
        gru(sequences._replace(sorted_indices=None))


def test_works_where_another_device_is_the_default() -> None:
    gru, sequences = PackedGRU(3, 4, 2, dropout=0.5), packed([5, 3], 3).to(torch.float32)
    with torch.device("meta"):
        assert gru(sequences._replace(sorted_indices=None))[0].data.device.type == "cpu"


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_checkpoint_drops_the_same_values_again(use_reentrant: bool) -> None:
    encoder = SpeakerEncoder(3, 4, dropout=0.5).double()
    layout = BatchLayout(torch.tensor([0, 5, 8]), torch.tensor([0, 1, 0, 1, 0, 0, 1, 0]))
    x = torch.randn(8, 2, 3, dtype=torch.float64, requires_grad=True)

    def run(checkpointed: bool) -> tuple[Tensor, Tensor]:
        torch.manual_seed(5)
        x.grad = None
        out = (
            checkpoint(encoder, x, layout, use_reentrant=use_reentrant)
            if checkpointed
            else encoder(x, layout)
        )
        out.square().sum().backward()
        return out, x.grad

    for one, other in zip(run(True), run(False), strict=True):
        assert torch.equal(one, other)


@FUNCTIONAL
def test_functional_gradient() -> None:
    gru = PackedGRU(3, 4, 2, bidirectional=True).double()
    sequences = packed([4, 2], 3)._replace(sorted_indices=None)

    def loss(weights: dict[str, Tensor]) -> Tensor:
        out, _ = torch.func.functional_call(gru, weights, (sequences,))
        return out.data.square().sum()

    functional = torch.func.grad(loss)(dict(gru.named_parameters()))
    other = copy.deepcopy(gru)
    other(sequences)[0].data.square().sum().backward()
    for name, weight in other.named_parameters():
        assert_equal(functional[name], weight.grad)


GRU, CELL = PackedGRU(3, 4, 2, bidirectional=True).double(), NodeLSTM(3, 3).double()


def of_gru(x: Tensor) -> Tensor:
    return GRU(PackedSequence(x, torch.tensor([2, 2, 1])))[0].data


def of_cell(x: Tensor) -> Tensor:
    return CELL.step(x, x, x, *CELL.weights(x, 1))[0]


@pytest.mark.parametrize("function", [pytest.param(of_gru, marks=FUNCTIONAL), of_cell])
def test_every_kind_of_second_derivative_is_an_error(
    function: Callable[[Tensor], Tensor],
) -> None:
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)

    def loss(x: Tensor) -> Tensor:
        return function(x).square().sum() + x.square().sum()

    def slope(x: Tensor) -> Tensor:
        return torch.autograd.grad(loss(x), x, create_graph=True)[0].square().sum()

    first = torch.autograd.grad(loss(x), x)[0]
    assert torch.equal(torch.autograd.grad(loss(x), x, create_graph=True)[0], first)
    with pytest.raises(RuntimeError, match="second derivative of a recurrent step"):
        slope(x).backward()
    with pytest.raises(RuntimeError, match="second derivative of a recurrent step"):
        torch.autograd.grad(slope(x), x)
    with pytest.raises(RuntimeError, match="second derivative of a recurrent step"):
        torch.autograd.functional.hvp(loss, x, torch.ones_like(x))
    with pytest.raises(RuntimeError, match="second derivative of a recurrent step"):
        torch.func.grad(lambda x: torch.func.grad(loss)(x).square().sum())(x)
