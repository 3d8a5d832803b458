import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.nn import GCN2Conv

from graphfusion import BatchLayout, ConversationGraph, DynamicFusion
from graphfusion._kernels.lstm import NodeLSTM
from graphfusion.models.identity import NoGraph
from graphfusion.testing import RaggedBatch, assert_batch_independent
from graphfusion.testing.strategies import batches, seeds, windows
from tests import oracle
from tests.asserts import assert_equal, assert_every_parameter_learns, assert_saves

CHANNELS = 5


@st.composite
def fusions(draw: st.DrawFn, gated: bool | None = None) -> DynamicFusion:
    fusion = DynamicFusion(
        CHANNELS,
        hidden_channels=draw(st.integers(1, 4)),
        num_layers=draw(st.integers(1, 5)),
        alpha=draw(st.sampled_from([0.0, 0.2, 1.0])),
        theta=draw(st.sampled_from([0.0, 0.5, 2.0])),
        gated=draw(st.booleans()) if gated is None else gated,
        concat=draw(st.booleans()),
        checkpoint=draw(st.booleans()),
    )
    return fusion.double()


@given(batches(), fusions(), windows)
def test_is_the_oracle(batch: RaggedBatch, fusion: DynamicFusion, past: int | None) -> None:
    graph = ConversationGraph(past)(batch.x, batch.layout)
    out = fusion(batch.x, graph)
    assert out.shape == (*batch.x.shape[:2], fusion.out_channels)
    expected = oracle.fuse(fusion, batch.x.flatten(0, 1), graph.to_dense()).view(out.shape)
    assert_equal(out[batch.here], expected[batch.here])
    assert not out[~batch.here].any()


@given(batches(masked=False), fusions())
def test_the_graph_and_its_edges_give_the_same(batch: RaggedBatch, fusion: DynamicFusion) -> None:
    graph = ConversationGraph(past=2)(batch.x, batch.layout)
    by_graph = fusion(batch.x, graph)
    by_edges = fusion(batch.x.flatten(0, 1), *graph.to_edge_index())
    assert_equal(by_edges.view(by_graph.shape), by_graph)


@given(fusions(), seeds, st.integers(1, 6), st.integers(0, 12))
def test_edge_order_does_not_matter(
    fusion: DynamicFusion, seed: int, num_nodes: int, num_edges: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(num_nodes, CHANNELS, dtype=torch.float64, generator=generator)
    edge_index = torch.randint(0, num_nodes, (2, num_edges), generator=generator)
    edge_weight = torch.randn(num_edges, dtype=torch.float64, generator=generator)
    out = fusion(x, edge_index, edge_weight)
    order = torch.randperm(num_edges, generator=generator)
    assert_equal(fusion(x, edge_index[:, order], edge_weight[order]), out)
    # Parallel edges add up, and no weight is a weight of one.
    dense = torch.zeros(num_nodes, num_nodes, dtype=torch.float64)
    dense.index_put_((edge_index[1], edge_index[0]), edge_weight, accumulate=True)
    assert_equal(oracle.fuse(fusion, x, dense), out)
    ones = torch.ones(num_edges, dtype=torch.float64)
    assert torch.equal(fusion(x, edge_index), fusion(x, edge_index, ones))


@given(batches(), fusions(), windows)
def test_a_batch_is_its_conversations(
    batch: RaggedBatch, fusion: DynamicFusion, past: int | None
) -> None:
    build = ConversationGraph(past)
    assert_batch_independent(lambda x, layout: fusion(x, build(x, layout)), batch)


@given(batches(masked=True), fusions())
def test_values_at_absent_nodes_do_not_matter(batch: RaggedBatch, fusion: DynamicFusion) -> None:
    def run(x: Tensor) -> tuple[Tensor, list[Tensor]]:
        fusion.zero_grad()
        out = fusion(x, ConversationGraph()(x, batch.layout))
        out.sum().backward()
        return out, [each.grad for each in fusion.parameters() if each.grad is not None]

    expected, gradients = run(batch.x)
    junk = batch.x.masked_fill(~batch.here.unsqueeze(-1), float("nan")).requires_grad_()
    out, junk_gradients = run(junk)
    assert torch.equal(out, expected)
    assert junk.grad.isfinite().all()
    for one, other in zip(gradients, junk_gradients, strict=True):
        assert torch.equal(one, other)


@given(st.floats(0.01, 0.99), st.floats(0.1, 2), seeds, st.integers(1, 3))
def test_static_fusion_is_gcn2conv(alpha: float, theta: float, seed: int, layers: int) -> None:
    torch.manual_seed(seed)
    fusion = DynamicFusion(3, 4, layers, alpha, theta, gated=False, concat=False).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    edge_index = torch.randint(0, 5, (2, 9))
    edge_weight = torch.rand(9, dtype=torch.float64)
    h0 = fusion.lin(x).relu()
    z = h0
    for k in range(layers):
        conv = GCN2Conv(4, alpha, theta, layer=k + 1, shared_weights=False, normalize=False)
        conv.weight1.data = fusion.weight[k, :4].detach() / (1 - alpha)
        conv.weight2.data = fusion.weight[k, 4:].detach() / alpha
        z = conv(z, h0, edge_index, edge_weight).relu()
    assert_equal(fusion(x, edge_index, edge_weight), z)


@pytest.mark.parametrize("gated", [True, False])
def test_every_parameter_learns(gated: bool) -> None:
    fusion = DynamicFusion(8, 6, 3, dropout=0.2, gated=gated)
    x = torch.randn(9, 2, 8)
    graph = ConversationGraph()(x, torch.tensor([0, 4, 9]))
    assert_every_parameter_learns(fusion, fusion(x, graph))


@pytest.mark.parametrize("gated", [True, False])
def test_gradcheck(gated: bool) -> None:
    fusion = DynamicFusion(3, 4, 2, gated=gated).double()
    layout = BatchLayout(torch.tensor([0, 3, 4]), present=torch.tensor([[1, 1], [1, 0]] * 2).bool())
    build = ConversationGraph()
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: fusion(x, build(x, layout)), (x,))
    edge_index = torch.tensor([[0, 1, 2, 3], [1, 2, 0, 0]])
    weight = torch.rand(4, dtype=torch.float64, requires_grad=True)
    nodes = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: fusion(x, edge_index, w), (nodes, weight))


def test_dropout_applies_to_the_output() -> None:
    fusion = DynamicFusion(100, 4, 2, dropout=0.5)
    x = torch.ones(6, 1, 100)
    graph = ConversationGraph()(x, torch.tensor([0, 6]))
    shown = fusion(x, graph)[..., :100]
    assert set(shown.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(fusion.eval()(x, graph)[..., :100], x)
    # Nothing is left, but nothing breaks.
    assert DynamicFusion(100, 4, 2, dropout=1.0)(x, graph).eq(0).all()


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e15])
@pytest.mark.parametrize("gated", [True, False])
def test_a_hundred_layers_stay_finite(scale: float, gated: bool) -> None:
    fusion = DynamicFusion(8, 6, 100, gated=gated)
    x = (torch.randn(9, 2, 8) * scale).requires_grad_()
    out = fusion(x, ConversationGraph()(x, torch.tensor([0, 4, 9])))
    (out / (1 + scale)).sum().backward()
    assert out.isfinite().all()
    assert x.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in fusion.parameters())


@pytest.mark.parametrize("gated", [True, False])
def test_large_numbers_are_not_cut(gated: bool) -> None:
    fusion = DynamicFusion(4, 3, 5, gated=gated).double()
    x = 1e9 * torch.randn(6, 2, 4, dtype=torch.float64)
    graph = ConversationGraph()(x, torch.tensor([0, 6]))
    expected = oracle.fuse(fusion, x.flatten(0, 1), graph.to_dense()).view(6, 2, -1)
    assert_equal(fusion(x, graph), expected)


def test_autocast_to_float16_stays_finite_in_a_hundred_layers() -> None:
    fusion = DynamicFusion(8, 6, 100)
    x, ptr = 1e4 * torch.randn(9, 2, 8), torch.tensor([0, 4, 9])
    with torch.autocast("cpu", dtype=torch.float16):
        out = fusion(x, ConversationGraph()(x, ptr))
    assert out[..., 8:].amax() > 1e4
    assert out.isfinite().all()


def test_autocast_and_half() -> None:
    fusion = DynamicFusion(16, 8, 4)
    x = torch.randn(9, 2, 16)
    ptr = torch.tensor([0, 4, 9])
    expected = fusion(x, ConversationGraph()(x, ptr))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = fusion(x, ConversationGraph()(x, ptr))
    torch.testing.assert_close(out.float(), expected, rtol=0.1, atol=0.1)
    half = fusion.bfloat16()
    out = half(x.bfloat16(), ConversationGraph()(x.bfloat16(), ptr))
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), expected, rtol=0.1, atol=0.1)


def test_autocast_does_not_round_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    memories, original = [], NodeLSTM.step

    def step(self: NodeLSTM, q: Tensor, g: Tensor, c: Tensor, *rest: object) -> object:
        memories.append(c)
        return original(self, q, g, c, *rest)

    monkeypatch.setattr(NodeLSTM, "step", step)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        DynamicFusion(4, 3, 3)(torch.randn(3, 4), torch.tensor([[0, 1], [1, 2]]))
    assert [each.dtype for each in memories] == [torch.float32] * 3


@pytest.mark.parametrize("gated", [True, False])
def test_edges_under_autocast(gated: bool) -> None:
    fusion = DynamicFusion(16, 8, 4, gated=gated)
    x, edge_index, weight = torch.randn(5, 16), torch.randint(0, 5, (2, 9)), torch.rand(9)
    expected = fusion(x, edge_index, weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = fusion(x, edge_index, weight)
    torch.testing.assert_close(out.float(), expected, rtol=0.1, atol=0.1)


def test_mutates_nothing() -> None:
    x, edge_index, weight = torch.randn(3, 4), torch.tensor([[0, 1], [1, 2]]), torch.rand(2)
    before = x.clone(), edge_index.clone(), weight.clone()
    DynamicFusion(4, 3, 2, dropout=0.5)(x, edge_index, weight).sum().backward()
    assert all(torch.equal(*pair) for pair in zip(before, (x, edge_index, weight), strict=True))


@pytest.mark.parametrize("gated", [True, False])
def test_saves(gated: bool) -> None:
    assert_saves(
        DynamicFusion(4, 3, 2, gated=gated), torch.randn(3, 4), torch.tensor([[0, 1], [1, 2]])
    )


@pytest.mark.parametrize("gated", [True, False])
def test_everything_is_where_its_input_is(gated: bool) -> None:
    layout = BatchLayout(torch.tensor([0, 30, 50]), present=torch.rand(50, 2) < 0.7).to("meta")
    fusion, x = DynamicFusion(4, 3, 2, gated=gated).to("meta"), torch.randn(50, 2, 4, device="meta")
    assert fusion(x, ConversationGraph()(x, layout)).device.type == "meta"
    edge_index = torch.zeros(2, 7, dtype=torch.int64, device="meta")
    assert fusion(x[:, 0], edge_index, torch.ones(7, device="meta")).device.type == "meta"


def test_weights_are_drawn_as_in_the_authors_code() -> None:
    weight = DynamicFusion(4, 100, 3).weight
    assert weight.abs().max() <= 0.1
    expected = torch.tensor([-0.05, 0.0, 0.05])  # the quartiles of uniform in [-0.1, 0.1]
    quartiles = torch.quantile(weight.detach().flatten(), torch.tensor([0.25, 0.5, 0.75]))
    torch.testing.assert_close(quartiles, expected, rtol=0, atol=0.002)


def test_defaults_are_the_papers() -> None:
    fusion = DynamicFusion(4, 3, 2)
    assert (fusion.alpha, fusion.theta, fusion.dropout.p) == (0.2, 0.5, 0.0)
    assert (fusion.gated, fusion.concat, fusion.checkpoint) == (True, True, False)


def test_repr() -> None:
    assert repr(DynamicFusion(4, 3, 2)) == "DynamicFusion(4, 3, num_layers=2, gated=True)"


def test_from_published_finds_its_weights_anywhere() -> None:
    fusion = DynamicFusion(4, 3, 2)
    state = fusion.state_dict()
    theirs = {
        "deep.graph_net.fcs.0.weight": state["lin.weight"],
        "deep.graph_net.fcs.0.bias": state["lin.bias"],
        "deep.graph_net.convs.0.weight": state["weight"][0],
        "deep.graph_net.convs.1.weight": state["weight"][1],
        "deep.other.weight": torch.ones(1),
    }
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        theirs[f"deep.graph_net.rnn.{name}_l0"] = state[f"cell.{name}"]
    static = {key: value for key, value in theirs.items() if "rnn" not in key}
    assert not DynamicFusion.from_published(static).gated
    assert not DynamicFusion.from_published(theirs, gated=False).gated
    double = {key: value.double() for key, value in theirs.items()}
    assert DynamicFusion.from_published(double).weight.dtype == torch.float64
    ours = DynamicFusion.from_published(theirs).state_dict()
    assert all(torch.equal(ours[key], value) for key, value in state.items())
    for missing in ("fcs.0.weight", "fcs.0.bias", "convs.0.weight", "rnn.bias_hh_l0"):
        rest = {key: value for key, value in theirs.items() if not key.endswith(missing)}
        with pytest.raises(ValueError, match=f"state_dict must have .*{missing}"):
            DynamicFusion.from_published(rest)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"in_channels": 0}, ValueError, "in_channels must be at least 1, but got 0"),
        ({"hidden_channels": -1}, ValueError, "hidden_channels must be at least 1, but got -1"),
        ({"num_layers": 0}, ValueError, "num_layers must be at least 1, but got 0"),
        ({"num_layers": 2.0}, TypeError, "num_layers must be an integer, but got 2.0"),
        ({"alpha": 1.1}, ValueError, r"alpha must be finite and in \[0, 1\], but got 1.1"),
        ({"alpha": "1"}, TypeError, "alpha must be a number, but got '1'"),
        ({"theta": -0.1}, ValueError, "theta must be finite and at least 0, but got -0.1"),
        ({"dropout": 1.5}, ValueError, r"dropout must be finite and in \[0, 1\], but got 1.5"),
        ({"gated": "False"}, TypeError, "gated must be True or False, but got 'False'"),
        ({"concat": 2}, TypeError, "concat must be True or False, but got 2"),
        ({"checkpoint": None}, TypeError, "checkpoint must be True or False, but got None"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        DynamicFusion(**({"in_channels": 4, "hidden_channels": 3, "num_layers": 2} | arguments))


def test_bad_input() -> None:
    fusion = DynamicFusion(4, 3, 2)
    x = torch.randn(3, 2, 4)
    graph = ConversationGraph()(x, torch.tensor([0, 3]))
    edge_index = torch.tensor([[0, 1], [1, 2]])
    nodes = torch.randn(3, 4)
    with pytest.raises(ValueError, match=r"x must have shape \[U, M, 4\], but got \[3, 2, 5\]"):
        fusion(torch.randn(3, 2, 5), graph)
    with pytest.raises(TypeError, match="edge_index must be the graph .* is .U, M, C., but got Te"):
        fusion(x, edge_index)
    with pytest.raises(ValueError, match=r"x must have shape \[N, 4\], but got \[3, 5\]"):
        fusion(torch.randn(3, 5), edge_index)
    with pytest.raises(TypeError, match="x must be of the module's dtype torch.float32"):
        fusion(nodes.double(), edge_index)
    with pytest.raises(TypeError, match="edge_index must be a tensor, or a graph .* but got list"):
        fusion(nodes, [[0], [1]])
    # That of a model's baselines, which propagates only.
    with pytest.raises(TypeError, match="got NoGraph, which lacks screen, screened, restore"):
        fusion(x, NoGraph())
    with pytest.raises(TypeError, match="edge_index must be of dtype torch.int64"):
        fusion(nodes, edge_index.int())
    with pytest.raises(ValueError, match=r"edge_index must have shape \[2, E\]"):
        fusion(nodes, edge_index.repeat(2, 1))
    for bad in (-1, 3):
        with pytest.raises(ValueError, match=rf"edge_index must be in \[0, 3\), but got {bad}"):
            fusion(nodes, torch.tensor([[0, 1], [1, bad]]))
    with pytest.raises(ValueError, match=r"x must not be empty, but got shape \[0, 4\]"):
        fusion(nodes[:0], edge_index[:, :0])
    with pytest.raises(TypeError, match="edge_weight must be of the module's dtype torch.float32"):
        fusion(nodes, edge_index, torch.ones(2).double())
    double = ConversationGraph()(x.double(), torch.tensor([0, 3]))
    with pytest.raises(TypeError, match="x must be of the module's dtype torch.float64, but got"):
        fusion(x, double)
    with pytest.raises(ValueError, match=r"edge_weight must have shape \[2\], but got \[3\]"):
        fusion(nodes, edge_index, torch.ones(3))
    with pytest.raises(ValueError, match="^edge_weight must be None with a graph"):
        fusion(x, graph, torch.ones(2))


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_checkpointing_changes_nothing(gated: bool, dropout: float) -> None:
    x = torch.randn(9, 2, 4)
    results = []
    for checkpoint in (False, True):
        torch.manual_seed(0)
        fusion = DynamicFusion(4, 3, 4, dropout=dropout, gated=gated, checkpoint=checkpoint)
        leaf = x.clone().requires_grad_()
        out = fusion(leaf, ConversationGraph()(leaf, torch.tensor([0, 5, 9])))
        out.sum().backward()
        results.append([out, leaf.grad, *(each.grad for each in fusion.parameters())])
    for without, with_ in zip(*results, strict=True):
        assert torch.equal(without, with_)


@given(batches(), fusions(gated=True))
def test_gates_are_those_of_each_layer(batch: RaggedBatch, fusion: DynamicFusion) -> None:
    graph = ConversationGraph()(batch.x, batch.layout)
    expected = fusion(batch.x, graph)
    steps = []
    step = fusion.cell.step
    fusion.cell.step = lambda q, g, *rest: (steps.append((q, g)), step(q, g, *rest))[1]
    out, gates = fusion(batch.x, graph, return_gates=True)
    assert torch.equal(out, expected)
    assert gates.shape == (fusion.num_layers, *batch.x.shape[:2], 3)
    weight, bias = fusion.cell.weight_ih, fusion.cell.bias_ih + fusion.cell.bias_hh
    for layer, (q, g) in zip(gates, steps, strict=True):
        i, f, _, o = (q @ weight.T + g @ fusion.cell.weight_hh.T + bias).sigmoid().chunk(4, -1)
        by_hand = torch.stack([each.mean(-1) for each in (i, f, o)], -1)
        assert_equal(layer[batch.here], by_hand[batch.here])
        assert not layer[~batch.here].any()


@given(batches(masked=False), fusions(gated=True))
def test_gates_on_plain_edges(batch: RaggedBatch, fusion: DynamicFusion) -> None:
    graph = ConversationGraph()(batch.x, batch.layout)
    _, by_graph = fusion(batch.x, graph, return_gates=True)
    nodes, edges = batch.x.flatten(0, 1), graph.to_edge_index()
    out, by_edges = fusion(nodes, *edges, return_gates=True)
    assert torch.equal(out, fusion(nodes, *edges))
    assert_equal(by_edges, by_graph.flatten(1, 2))


def test_gates_that_are_open_or_closed() -> None:
    fusion = DynamicFusion(4, 3, 2)
    with torch.no_grad():
        fusion.cell.bias_ih.copy_(torch.tensor([50.0, -50, 0, 50]).repeat_interleave(3))
    _, gates = fusion(torch.randn(5, 4), torch.tensor([[0, 1], [1, 2]]), return_gates=True)
    torch.testing.assert_close(gates, torch.tensor([1.0, 0, 1]).expand(2, 5, 3))


def test_gates_in_training_and_under_autocast() -> None:
    fusion = DynamicFusion(8, 6, 3, dropout=0.5, checkpoint=True)
    x, ptr = torch.randn(9, 2, 8), torch.tensor([0, 4, 9])
    graph = ConversationGraph()(x, ptr)
    gradients = []
    for return_gates in (False, True):
        torch.manual_seed(1)
        out = fusion(x, graph, return_gates=return_gates)
        out = out[0] if return_gates else out
        gradients.append(torch.autograd.grad(out.sum(), list(fusion.parameters())))
    for without, with_ in zip(*gradients, strict=True):
        assert torch.equal(with_, without)
    fusion.eval()
    out, gates = fusion(x, graph, return_gates=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough_out, rough = fusion(x, graph, return_gates=True)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, gates, rtol=0.02, atol=0.02)
    torch.testing.assert_close(rough_out.float(), out, rtol=0.1, atol=0.1)


def test_without_a_gate_there_are_no_gates() -> None:
    fusion = DynamicFusion(4, 3, 2, gated=False)
    with pytest.raises(ValueError, match="^return_gates must be False where gated is, but"):
        fusion(torch.randn(5, 4), torch.tensor([[0, 1], [1, 2]]), return_gates=True)
