"""What docs/reference/supported.md says: each row works as its recipe, or ends in its error."""

import copy
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch_geometric
from torch import Tensor
from torch_geometric.explain import Explainer, GNNExplainer
from torch_geometric.nn import RGCNConv, to_hetero
from torch_geometric.utils import to_edge_index

from graphfusion import (
    MMDFN,
    BatchLayout,
    Conversation,
    ConversationGraph,
    ConvFusion,
    DynamicFusion,
    SpeakerEmbedding,
    task_loss,
)
from graphfusion.export import PaddedBatch, PaddedModel, StreamingStep, to_onnx
from tests._versions import needs_torch
from tests.several import CLASSES, several

ROOT = Path(__file__).parents[2]
SIZES = {"text": 5, "audio": 4}
EDGES = torch.tensor([[0, 1, 2, 2], [1, 2, 0, 2]])
Batch = tuple[dict[str, Tensor], BatchLayout]
# PyTorch deprecates some of its own, and tracing warns of every check.
pytestmark = pytest.mark.filterwarnings("ignore")


def model_of(**kwargs: object) -> MMDFN:
    small = {"channels": 6, "hidden_channels": 4, "num_layers": 2, "context": ("text",)}
    return MMDFN(SIZES, 3, **(small | kwargs)).eval()


def batch_of(*lengths: int, dtype: torch.dtype = torch.float32) -> Batch:
    size = sum(lengths)
    features = {name: torch.randn(size, width).to(dtype) for name, width in SIZES.items()}
    ptr = torch.tensor([0, *lengths]).cumsum(0)
    return features, BatchLayout(ptr, torch.arange(size) % 2)


class Held(torch.nn.Module):
    """A model that holds the layout of its batch, and takes tensors."""

    def __init__(self, model: MMDFN, layout: BatchLayout) -> None:
        super().__init__()
        self.model, self.layout = model, layout

    def forward(self, text: Tensor, audio: Tensor) -> Tensor:
        return self.model({"text": text, "audio": audio}, self.layout)


class Stack(torch.nn.Module):
    """A fusion on any graph, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.fusion, self.linear = DynamicFusion(5, 4, 2), torch.nn.Linear(9, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.linear(self.fusion(x, edge_index))


def test_script() -> None:
    with pytest.raises(Exception, match="."):  # PyTorch's, of several kinds
        torch.jit.script(model_of())


@pytest.mark.parametrize("window", [{}, {"past": 1, "future": 1}])
def test_trace(window: dict[str, int]) -> None:
    model, (features, layout) = model_of(**window), batch_of(3, 4)
    with pytest.raises(RuntimeError, match=r"must not be made inside torch\.jit\.trace, "):
        torch.jit.trace(model, (features, layout.speaker, layout.ptr))
    traced = torch.jit.trace(Held(model, layout), tuple(features.values()))
    others, _ = batch_of(3, 4)
    torch.testing.assert_close(traced(*others.values()), model(others, layout))
    fusion = DynamicFusion(5, 4, 2).eval()
    traced = torch.jit.trace(fusion, (torch.randn(3, 5), EDGES))
    x, edge_index = torch.randn(7, 5), torch.randint(0, 7, (2, 9))
    torch.testing.assert_close(traced(x, edge_index), fusion(x, edge_index))


def graph_and_fusion() -> tuple[ConversationGraph, DynamicFusion, Tensor, BatchLayout]:
    x, (_, layout) = torch.randn(23, 2, 11), batch_of(14, 9)
    return ConversationGraph(), DynamicFusion(11, 7, 2), x, layout


@pytest.mark.slow  # the quick run compiles the whole model in test_compile_model.py
@needs_torch("2.13", "the compiler over a whole model")
def test_compile() -> None:
    torch.compiler.reset()
    build, fusion, x, layout = graph_and_fusion()

    def run(x: Tensor, layout: BatchLayout) -> Tensor:
        return fusion(x, build(x, layout))

    fast = torch.compile(run, backend="eager", fullgraph=True)
    torch.testing.assert_close(fast(x, layout), run(x, layout))


def assert_exports_other_sizes(
    module: torch.nn.Module, example: tuple[Tensor, ...], other: tuple[Tensor, ...], *axes: int
) -> None:
    shapes = tuple({axis: torch.export.Dim.DYNAMIC} for axis in axes)
    program = torch.export.export(module, example, dynamic_shapes=shapes)
    torch.testing.assert_close(program.module()(*other), module(*other))


def test_export() -> None:
    build, fusion, x, layout = graph_and_fusion()
    graph = build(x, layout)
    program = torch.export.export(fusion, (x, graph))
    torch.testing.assert_close(program.module()(x, graph), fusion(x, graph))
    edges = torch.tensor([[0, 8, 3, 4, 4], [1, 2, 7, 8, 0]])
    assert_exports_other_sizes(fusion, (x[:6, 0], EDGES), (x[:9, 0], edges), 0, 1)
    speaker = torch.arange(9) % 3
    given, other = (x[:6], speaker[:6]), (x[:9], speaker)
    assert_exports_other_sizes(SpeakerEmbedding(3, 11), given, other, 0, 0)
    # A whole model: tests/export has the export of this, which takes longer.
    model, conversation = (
        model_of(),
        Conversation(
            {name: torch.randn(3, width) for name, width in SIZES.items()}, torch.tensor([0, 1, 0])
        ),
    )
    padded = PaddedModel(model)(*PaddedBatch.of([conversation]))
    torch.testing.assert_close(padded.flatten(0, 1), model(conversation))


@pytest.mark.slow
@needs_torch("2.13", "a loop in what is exported")
def test_onnx(tmp_path: Path) -> None:
    small = model_of(
        num_layers=1, context=(), speaker_weights=dict.fromkeys(SIZES, 0.0), causal=True
    )
    to_onnx(StreamingStep(small), tmp_path / "step.onnx")
    assert (tmp_path / "step.onnx").stat().st_size > 1000


def test_vmap() -> None:
    fusion, x = DynamicFusion(5, 4, 2), torch.randn(6, 3, 5)
    with pytest.raises(RuntimeError, match="vmap"):
        torch.func.vmap(lambda one: fusion(one, EDGES))(x)
    together = torch.cat([EDGES + 3 * number for number in range(6)], 1)
    packed = fusion(x.flatten(0, 1), together).unflatten(0, (6, 3))
    torch.testing.assert_close(packed, torch.stack([fusion(one, EDGES) for one in x]))


def test_functional_gradients() -> None:
    fusion, x = DynamicFusion(5, 4, 2), torch.randn(3, 5)

    def loss(weights: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(fusion, weights, (x, EDGES)).square().sum()

    weights = dict(fusion.named_parameters())
    found = torch.func.grad(loss)(weights)
    loss(weights).backward()
    for name, weight in weights.items():
        torch.testing.assert_close(found[name], weight.grad)


def test_forward_mode() -> None:
    fusion, x = DynamicFusion(5, 4, 2), torch.randn(3, 5)
    with pytest.raises((NotImplementedError, RuntimeError), match="jvp|forward"):
        torch.func.jvp(lambda x: fusion(x, EDGES), (x,), (x,))


SECOND = """
import torch
from graphfusion import DynamicFusion
fusion = DynamicFusion(5, 4, 2).double()
edges = torch.tensor([[0, 1, 2, 2], [1, 2, 0, 2]])
x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
assert torch.autograd.gradgradcheck(lambda x: fusion(x, edges), x)
"""


def test_second_derivatives() -> None:
    fusion, x = DynamicFusion(5, 4, 2), torch.randn(3, 5, requires_grad=True)
    (first,) = torch.autograd.grad(fusion(x, EDGES).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="not implemented.* GRAPHFUSION_KERNELS to 0"):
        first.sum().backward()


@pytest.mark.slow
def test_second_derivatives_without_kernels() -> None:
    subprocess.run(
        [sys.executable, "-c", SECOND], env=os.environ | {"GRAPHFUSION_KERNELS": "0"}, check=True
    )


# Its own `to_hetero` needs a name that PyTorch 2.8 no longer has.
@pytest.mark.skipif(torch_geometric.__version__ < "2.7", reason="PyG 2.6 cannot on new PyTorch")
def test_hetero() -> None:
    types = ["text", "audio"], [("text", "with", "audio"), ("audio", "with", "text")]
    with pytest.raises(torch.fx.proxy.TraceError):  # of torch.fx, which follows no condition
        to_hetero(DynamicFusion(5, 4, 2), types)
    within = to_hetero(Stack(), types)
    with pytest.raises(TypeError, match="x must be a tensor, but got tuple"):
        within(dict.fromkeys(types[0], torch.randn(3, 5)), dict.fromkeys(types[1], EDGES))
    features, layout = batch_of(3, 4)
    x = torch.stack([features["text"]] * 2, 1)
    graph = ConversationGraph(past=2, future=2)(x, layout)
    assert ConvFusion(RGCNConv(5, 4, num_relations=6))(x, graph).shape == (7, 2, 4)


@pytest.mark.parametrize("edges", [False, True])
def test_explainers(edges: bool) -> None:
    explain = Explainer(
        Stack(),
        GNNExplainer(epochs=2),
        explanation_type="model",
        node_mask_type="attributes",
        edge_mask_type="object" if edges else None,
        model_config={
            "mode": "multiclass_classification",
            "task_level": "node",
            "return_type": "raw",
        },
    )
    x = torch.randn(3, 5)
    if not edges:
        assert explain(x, EDGES).node_mask.shape == x.shape
        return
    with pytest.raises(ValueError, match="Could not compute gradients for edges"):
        explain(x, EDGES)
    weight = torch.ones(4, requires_grad=True)
    DynamicFusion(5, 4, 2)(x, EDGES, weight).square().sum().backward()
    assert weight.grad.abs().min() > 0


def test_sparse_adjacency() -> None:
    fusion, x, weight = DynamicFusion(5, 4, 2), torch.randn(3, 5), torch.rand(4)
    adjacency = torch.sparse_coo_tensor(EDGES, weight, (3, 3)).coalesce()
    for sparse in (adjacency, adjacency.to_sparse_csr(), adjacency.to_sparse_csc()):
        with pytest.raises(
            TypeError, match=r"got a sparse matrix; torch_geometric\.utils\.to_edge"
        ):
            fusion(x, sparse)
        # Rows are sources there, as they are in the sparse matrix.
        found = fusion(x, *to_edge_index(sparse))
        torch.testing.assert_close(found, fusion(x, EDGES, weight))
    with pytest.raises(
        TypeError, match="edge_index must be of dtype torch.int64, but got torch.fl"
    ):
        fusion(x, adjacency.to_dense())


@pytest.mark.skipif(
    not hasattr(torch.ao.quantization, "quantize_dynamic"), reason="PyTorch has it no more"
)
@pytest.mark.parametrize("kwargs", [{"utterance_channels": 3}, {"context": ()}])
def test_dynamic_quantisation(kwargs: dict[str, object]) -> None:
    model, batch = model_of(causal=True, **kwargs), batch_of(3, 4)
    linear = {torch.nn.Linear}
    small = torch.ao.quantization.quantize_dynamic(model, linear, dtype=torch.qint8)
    expected = model(*batch)
    scale = float(expected.abs().max())
    torch.testing.assert_close(small(*batch), expected, rtol=0, atol=0.1 * scale)
    first = {name: value[:1] for name, value in batch[0].items()}
    assert small.stream().step(first, torch.tensor([0])).isfinite().all()


@pytest.mark.usefixtures("alone")
def test_distributed() -> None:
    model, batch = model_of(), batch_of(3, 4)
    wrapped = torch.nn.parallel.DistributedDataParallel(copy.deepcopy(model))
    wrapped(*batch).square().sum().backward()
    model(*batch).square().sum().backward()
    for one, other in zip(wrapped.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_copies() -> None:
    model, batch = model_of(), batch_of(3, 4)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(*batch), model(*batch))
    one = Conversation({"text": torch.ones(2, 5)}, torch.tensor([0, 1]))
    assert torch.equal(pickle.loads(pickle.dumps(one)).features["text"], one.features["text"])


def test_meta() -> None:
    with torch.device("meta"):
        model = model_of()
    model.to_empty(device="cpu").reset_parameters()
    assert model(*batch_of(3, 4)).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast(dtype: torch.dtype) -> None:
    model, batch = model_of(), batch_of(3, 4)
    with torch.autocast("cpu", dtype=dtype):
        logits = model(*batch)
    assert logits.dtype == dtype
    torch.testing.assert_close(logits.float(), model(*batch), rtol=0.1, atol=0.05)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_floating_dtypes(dtype: torch.dtype) -> None:
    model = model_of().to(dtype)
    for given in (dtype, torch.float32, torch.float64):  # the model casts after standardising
        assert model(*batch_of(3, 4, dtype=given)).dtype == dtype


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int64, torch.bool])
def test_other_dtypes(dtype: torch.dtype) -> None:
    features, layout = batch_of(3, 4)
    wrong = features | {"text": features["text"].to(dtype)}
    with pytest.raises(
        TypeError, match=rf"\['text'\] must be of a floating dtype, but got {dtype}"
    ):
        model_of()(wrong, layout)
    with pytest.raises(TypeError, match=rf"x must be of a floating dtype, but got {dtype}"):
        DynamicFusion(5, 4, 2)(torch.ones(3, 5).to(dtype), EDGES)


def test_several_classes() -> None:
    """`tests/training/test_several_classes.py` has the training, which needs an extra."""
    corpus = several(1, 1)
    assert corpus.task == "multilabel"
    model = MMDFN({"text": 4}, 3, task=corpus.task, class_names=CLASSES, num_layers=1).eval()
    (conversation,) = corpus.splits["train"]
    logits, y = model(conversation), conversation.y
    loss = task_loss(logits, y, model.task)
    loss.backward()
    with pytest.raises(ValueError, match="weight must be None for multilabel, but got"):
        task_loss(logits, y, model.task, weight=torch.tensor([9.0, 1, 1]))
    assert [set(row) for row in model.predict(conversation)] == [set(CLASSES)] * len(y)


ROWS = {
    "`torch.jit.script`": test_script,
    "`torch.jit.trace`": test_trace,
    "`torch.compile`": test_compile,
    "`torch.export`": test_export,
    "ONNX": test_onnx,
    "`torch.func.vmap`": test_vmap,
    "`torch.func.grad`, `functional_call`": test_functional_gradients,
    "`torch.func.jvp`": test_forward_mode,
    "second derivatives": test_second_derivatives,
    "PyG's `to_hetero`": test_hetero,
    "PyG's explainers": test_explainers,
    "a sparse adjacency": test_sparse_adjacency,
    "several classes at once": test_several_classes,
    "dynamic quantisation": test_dynamic_quantisation,
    "`DistributedDataParallel`": test_distributed,
    "`copy.deepcopy`, `pickle`": test_copies,
    "`torch.device(\"meta\")`": test_meta,
    "autocast": test_autocast,
    "float64, float16, bfloat16": test_floating_dtypes,
    "complex numbers, integers": test_other_dtypes,
}  # fmt: skip


def test_every_row_of_the_page_has_a_test() -> None:
    page = (ROOT / "docs/reference/supported.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \|", page, re.MULTILINE)
    assert [row for row in rows if row != "what" and not row.startswith("-")] == list(ROWS)
