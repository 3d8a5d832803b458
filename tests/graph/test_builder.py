import pickle
from collections.abc import Callable
from itertools import accumulate

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils import _pytree as pytree
from torch_geometric.nn import SimpleConv
from torch_geometric.utils import to_dense_adj

from graphfusion import BatchLayout, ConversationGraph
from graphfusion.graph import builder
from graphfusion.graph.blocks import cover
from graphfusion.testing import (
    RaggedBatch,
    assert_batch_independent,
    assert_finite,
    assert_not_mutating,
)
from graphfusion.testing.strategies import batches, seeds, windows
from tests import oracle
from tests.asserts import assert_equal

crosses = st.sampled_from([1.0, 0.7, 0.0])


@given(batches(), windows, windows, crosses)
def test_is_the_dense_oracle(
    batch: RaggedBatch, past: int | None, future: int | None, cross_weight: float
) -> None:
    graph = ConversationGraph(past, future, cross_weight)(batch.x, batch.layout)
    expected = oracle.adjacency(batch.x, batch.ptr, batch.present, past, future, cross_weight)
    assert_equal(graph.to_dense(), expected)


@pytest.mark.parametrize("lengths", [[40] * 3, [60, 1, 1, 1, 1, 1, 1, 1], [100]])
@pytest.mark.parametrize(("past", "future"), [(0, 0), (3, 1), (None, 2), (None, None)])
def test_both_kinds_of_blocks_are_the_oracle(
    lengths: list[int], past: int | None, future: int | None
) -> None:
    ptr = torch.tensor([0, *lengths]).cumsum(0)
    x = torch.randn(sum(lengths), 1, 4, dtype=torch.float64)
    present = torch.rand(len(x), 1) < 0.9
    graph = ConversationGraph(past, future)(x, BatchLayout(ptr, present=present))
    assert_equal(graph.to_dense(), oracle.adjacency(x, ptr, present, past, future))


def test_a_window_never_makes_the_full_block() -> None:
    layout = BatchLayout(torch.tensor([0, 3000]))
    blocks = cover(layout, past=10, future=10)
    assert blocks.joined.numel() <= 4 * 3000 * 21
    assert blocks.rows.numel() < 3000 + 32
    assert blocks.columns.size(1) <= 3 * 21


def test_one_long_conversation_does_not_enlarge_the_other_blocks() -> None:
    layout = BatchLayout(torch.tensor([0, 500, *range(501, 701)]))
    padded = 201 * 500 * 500
    assert cover(layout, None, None).joined.numel() < padded / 20


@pytest.mark.parametrize(("past", "lengths"), [(None, [5, 40, 3]), (2, [100, 100])])
def test_layers_need_not_copy_the_blocks(past: int | None, lengths: list[int]) -> None:
    ptr = torch.tensor([0, *accumulate(lengths)])
    graph = ConversationGraph(past, past)(torch.randn(sum(lengths), 3, 7), ptr)
    assert graph.intra.is_contiguous()


def test_short_conversations_share_a_block() -> None:
    layout = BatchLayout(torch.tensor([0, 110, *range(118, 191, 8)]))
    assert cover(layout, None, None).joined.shape == (2, 110, 110)


@given(batches(), windows, windows, seeds)
def test_all_forms_agree(
    batch: RaggedBatch, past: int | None, future: int | None, seed: int
) -> None:
    graph = ConversationGraph(past, future)(batch.x, batch.layout)
    y = torch.randn(*batch.x.shape[:2], 3, generator=torch.Generator().manual_seed(seed)).double()
    dense = graph.to_dense()
    expected = (dense @ y.flatten(0, 1)).view(y.shape)
    assert_equal(graph.propagate(y), expected)
    assert torch.equal(graph @ y, graph.propagate(y))

    edge_index, edge_weight = graph.to_edge_index()
    key = edge_index[1] * len(dense) + edge_index[0]
    assert (key.diff() > 0).all()  # sorted by target, then source, each once
    assert (edge_weight != 0).all()
    # PyG's dense form is source by target.
    as_dense = to_dense_adj(edge_index, edge_attr=edge_weight, max_num_nodes=len(dense))[0]
    assert torch.equal(as_dense.T, dense)
    by_pyg = SimpleConv(aggr="sum")(y.flatten(0, 1), edge_index, edge_weight)
    assert_equal(by_pyg, expected.flatten(0, 1))


@given(batches(), windows, windows)
def test_a_batch_is_its_conversations(
    batch: RaggedBatch, past: int | None, future: int | None
) -> None:
    build = ConversationGraph(past, future)
    assert_batch_independent(lambda x, layout: build(x, layout).propagate(x), batch)
    alone = [build(each.x, each.layout).to_dense() for each in batch.conversations()]
    assert_equal(build(batch.x, batch.layout).to_dense(), torch.block_diag(*alone))


@given(batches(masked=True, max_conversations=2), windows, seeds)
def test_values_at_absent_nodes_do_not_matter(
    batch: RaggedBatch, past: int | None, seed: int
) -> None:
    build = ConversationGraph(past)
    y = torch.randn(batch.x.shape, generator=torch.Generator().manual_seed(seed)).double()
    absent = ~batch.here.unsqueeze(-1)
    expected = build(batch.x, batch.layout).propagate(y)
    assert not expected[~batch.here].any()
    for junk in (float("nan"), float("inf"), 1e30):
        x = batch.x.masked_fill(absent, junk).requires_grad_()
        other = y.masked_fill(absent, junk).requires_grad_()
        out = build(x, batch.layout).propagate(other)
        assert torch.equal(out, expected)
        out.sum().backward()
        for gradient in (x.grad, other.grad):
            assert gradient.isfinite().all()
            assert not gradient[~batch.here].any()


@given(batches(odd_vectors=True), windows)
def test_zero_vectors_and_duplicates_stay_finite(batch: RaggedBatch, past: int | None) -> None:
    build = ConversationGraph(past)
    batch = batch.with_x(batch.x.float())
    assert_finite(lambda x, layout: build(x, layout).propagate(x), batch)
    assert build(batch.x, batch.layout).intra.isfinite().all()


@given(batches(), windows)
def test_is_symmetric_without_a_window_and_causal_with_future_0(
    batch: RaggedBatch, past: int | None
) -> None:
    graph = ConversationGraph()(batch.x, batch.layout)
    dense = graph.to_dense()
    assert_equal(dense, dense.T)
    windowed = ConversationGraph(past, future=0)(batch.x, batch.layout).to_dense()
    within = windowed.view(*batch.x.shape[:2], *batch.x.shape[:2]).transpose(1, 2)
    for u, row in enumerate(within):
        assert not row[u + 1 :].any()  # nothing comes from the future


@pytest.mark.parametrize("masked", [False, True])
def test_gradcheck(masked: bool) -> None:
    x = torch.randn(6, 2, 3, dtype=torch.float64, requires_grad=True)
    present = torch.rand(6, 2) < 0.7 if masked else None
    layout = BatchLayout(torch.tensor([0, 4, 6]), present=present)
    for window in ({}, {"past": 1, "future": 0}):
        build = ConversationGraph(**window, cross_weight=0.7)
        assert torch.autograd.gradcheck(lambda x, b=build: b(x, layout).propagate(x), (x,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_dtypes(dtype: torch.dtype, scale: float) -> None:
    x = (torch.randn(7, 2, 4) * scale).to(dtype).requires_grad_()
    graph = ConversationGraph()(x, torch.tensor([0, 5, 7]))
    assert graph.intra.dtype == graph.inter.dtype == dtype
    out = graph.propagate(torch.ones_like(x))
    assert out.dtype == dtype
    assert out.isfinite().all()
    out.sum().backward()
    assert x.grad.isfinite().all()
    exact = ConversationGraph()(x.detach().double(), torch.tensor([0, 5, 7])).to_dense()
    tolerance = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(graph.to_dense().double(), exact, rtol=0, atol=tolerance)


@given(batches(max_conversations=2))
def test_a_pytree_that_mutates_nothing(batch: RaggedBatch) -> None:
    build = ConversationGraph()
    assert_not_mutating(lambda x, layout: build(x, layout).propagate(x), batch)
    graph = build(batch.x, batch.layout)
    leaves, spec = pytree.tree_flatten(graph)
    assert all(isinstance(leaf, torch.Tensor) or leaf is None for leaf in leaves)
    assert torch.equal(pytree.tree_unflatten(leaves, spec).to_dense(), graph.to_dense())
    assert torch.equal(pickle.loads(pickle.dumps(graph)).to_dense(), graph.to_dense())


def test_autocast_does_not_round_the_similarities() -> None:
    x, ptr = torch.randn(7, 2, 16), torch.tensor([0, 4, 7])
    expected = ConversationGraph()(x, ptr)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        graph = ConversationGraph()(x, ptr)
    assert torch.equal(graph.intra, expected.intra)
    assert torch.equal(graph.inter, expected.inter)


def test_bare_ptr_and_repr() -> None:
    x = torch.randn(3, 2, 4)
    ptr = torch.tensor([0, 1, 3])
    build = ConversationGraph(past=2, cross_weight=0.5)
    graph = build(x, ptr)
    assert torch.equal(graph.to_dense(), build(x, BatchLayout(ptr)).to_dense())
    assert repr(build) == ("ConversationGraph(past=2, future=None, cross_weight=0.5)")
    assert repr(graph) == "MultimodalGraph(num_utterances=3, num_modalities=2)"
    build.reset_parameters()


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="past must be at least 0, but got -1"):
        ConversationGraph(past=-1)
    with pytest.raises(TypeError, match=r"future must be an integer, but got 1\.5"):
        ConversationGraph(future=1.5)
    for value in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="cross_weight must be finite and at least 0, but got"):
            ConversationGraph(cross_weight=value)
    build = ConversationGraph()
    ptr = torch.tensor([0, 3])
    with pytest.raises(ValueError, match=r"x must have shape \[3, M, C\], but got \[2, 2, 4\]"):
        build(torch.randn(2, 2, 4), ptr)
    with pytest.raises(TypeError, match="x must be of a floating dtype"):
        build(torch.ones(3, 2, 4, dtype=torch.int64), ptr)
    with pytest.raises(ValueError, match="ptr must strictly increase"):
        build(torch.randn(3, 2, 4), torch.tensor([0, 3, 3]))
    masked = BatchLayout(ptr, present=torch.zeros(3, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"x must have shape \[3, 2, C\], but got \[3, 1, 4\]"):
        build(torch.randn(3, 1, 4), masked)
    with pytest.raises(ValueError, match=r"x must have shape \[3, 2, C\], but got \[3, 4\]"):
        build(torch.randn(3, 2, 4), ptr).propagate(torch.randn(3, 4))


def test_the_window_is_unlimited_by_default() -> None:
    build = ConversationGraph()
    assert (build.past, build.future, build.cross_weight) == (None, None, 1)


@pytest.mark.parametrize("past", [None, 1])
@pytest.mark.parametrize("masked", [False, True])
def test_everything_is_where_its_input_is(masked: bool, past: int | None) -> None:
    present = torch.rand(50, 2) < 0.7 if masked else None
    layout = BatchLayout(torch.tensor([0, 30, 50]), present=present).to("meta")
    x = torch.randn(50, 2, 4, device="meta")
    graph = ConversationGraph(past)(x, layout)
    for each in (graph.intra, graph.inter, graph.columns, graph.row_of_node, graph.propagate(x)):
        assert each.device.type == "meta"


def test_propagates_its_own_dtype() -> None:
    graph = ConversationGraph()(torch.randn(3, 2, 4), torch.tensor([0, 3]))
    with pytest.raises(
        TypeError, match=r"^x must be of the module's dtype torch\.float32, but got"
    ):
        graph.propagate(torch.randn(3, 2, 4).double())


def test_refuses_vectors_of_no_nodes() -> None:
    ptr = torch.tensor([0, 3])
    with pytest.raises(ValueError, match=r"^x must have shape \[U, M, C\], but got \[3, 4\]"):
        ConversationGraph()(torch.randn(3, 4), ptr)
    with pytest.raises(ValueError, match=r"^x must not be empty, but got shape \[3, 0, 4\]"):
        ConversationGraph()(torch.randn(3, 0, 4), ptr)


def _fail(error: RuntimeError) -> Callable[..., None]:
    def cover(*_: object) -> None:
        raise error

    return cover


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4e10 bytes"
        ),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 37.25 GiB"),
    ],
)
def test_running_out_of_memory_suggests_a_window(
    monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    """Without allocating it: 10^5 utterances without a window have 10^10 edges."""
    monkeypatch.setattr(builder, "cover", _fail(error))
    x, ptr = torch.zeros(100_000, 1, 1), torch.tensor([0, 100_000])
    with pytest.raises(torch.OutOfMemoryError, match="37.3 GiB.* smaller past and future") as told:
        ConversationGraph()(x, ptr)
    assert str(error) in str(told.value)
    assert "past and future are None and None" in str(told.value)
    assert "100000 in the longest conversation" in str(told.value)


def test_other_errors_are_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("something else")
    monkeypatch.setattr(builder, "cover", _fail(error))
    with pytest.raises(RuntimeError) as caught:
        ConversationGraph()(torch.zeros(3, 1, 1), torch.tensor([0, 3]))
    assert caught.value is error
