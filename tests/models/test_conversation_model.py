"""A model of any parts."""

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import GCN2Conv, HypergraphConv, RGCNConv, TransformerConv

from graphfusion import (
    MMDFN,
    BatchLayout,
    Classifier,
    Conversation,
    ConversationGraph,
    ConversationModel,
    ConvFusion,
    DynamicFusion,
    MultimodalGraph,
    UtteranceEncoder,
)
from graphfusion.models.identity import NoFusion
from graphfusion.testing import check_model
from tests.asserts import assert_every_parameter_learns

SIZES = {"text": 6, "audio": 7}


def encoder(**options: object) -> UtteranceEncoder:
    return UtteranceEncoder(SIZES, channels=4, **options)


def model_of(fusion: torch.nn.Module, **parts: torch.nn.Module) -> ConversationModel:
    given = {"encoder": encoder(context=["text"]), "graph": ConversationGraph(past=3, future=3)}
    head = Classifier(list(SIZES), fusion.out_channels, 3)
    return ConversationModel(**(given | {"fusion": fusion, "head": head} | parts)).eval()


def conversation(size: int = 5) -> Conversation:
    features = {name: torch.randn(size, d) for name, d in SIZES.items()}
    return Conversation(features, torch.arange(size) % 2)


class Own(torch.nn.Module):
    """A user's own fusion: one propagation and a linear map."""

    def __init__(self) -> None:
        super().__init__()
        self.in_channels, self.out_channels = 4, 6
        self.lin = torch.nn.Linear(4, 6)

    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        return self.lin(graph.propagate(x)).relu()


FUSIONS: dict[str, Callable[[], torch.nn.Module]] = {
    "dynamic": lambda: DynamicFusion(4, 3, 2),
    "own": Own,
    "gcn2": lambda: ConvFusion(GCN2Conv(4, alpha=0.5), GCN2Conv(4, alpha=0.5)),
    "relational": lambda: ConvFusion(RGCNConv(4, 5, num_relations=6), TransformerConv(5, 3)),
    "hypergraph": lambda: ConvFusion(HypergraphConv(4, 3)),
}


@pytest.mark.parametrize(
    "name",
    [
        each if each == "relational" else pytest.param(each, marks=pytest.mark.slow)
        for each in FUSIONS
    ],
)
def test_any_fusion_keeps_the_contracts(name: str) -> None:
    graph = {"graph": ConversationGraph()} if name == "hypergraph" else {}  # it takes no window
    model = model_of(FUSIONS[name](), **graph)
    check_model(model)
    out = torch.cat([model(conversation(size)) for size in (1, 5, 20, 20)])
    assert_every_parameter_learns(model, out)


def test_mmdfn_is_its_parts() -> None:
    options = {"channels": 4, "hidden_channels": 3, "num_layers": 2, "dropout": 0.0}
    torch.manual_seed(0)
    model = MMDFN(SIZES, 3, context=["text"], past=2, **options)
    torch.manual_seed(0)
    parts = encoder(context=["text"]), ConversationGraph(past=2), DynamicFusion(4, 3, 2)
    composed = ConversationModel(*parts, Classifier(list(SIZES), 7, 3))
    one = conversation()
    assert torch.equal(composed(one), model(one))
    assert composed.state_dict().keys() == model.state_dict().keys()
    assert composed.in_channels == SIZES
    assert composed.num_classes == 3
    assert repr(composed).startswith("ConversationModel(UtteranceEncoder(")


def test_parts_run_once_and_absent_modalities_are_masked_once() -> None:
    """Before the parts run: no part masks the features or the nodes again."""
    present = {"text": torch.tensor([True, False, True])}
    features = {name: torch.randn(3, d) for name, d in SIZES.items()}
    where = []

    class Count(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func is torch.ops.aten.where.self:
                where.append(args[1].shape)
            return func(*args, **(kwargs or {}))

    model = model_of(DynamicFusion(4, 3, 5))
    layout = BatchLayout(torch.tensor([0, 3]), torch.tensor([0, 1, 0]), present)
    with torch.no_grad(), Count():
        model(features, layout)
    of_nodes = [shape for shape in where if tuple(shape) in {(3, 2, 3), (3, 2, 7)}]
    of_features = [shape for shape in where if tuple(shape) in {(3, 6), (3, 7)}]
    assert len(of_features) == 2
    assert len(of_nodes) == 1  # imputation


class Blind(torch.nn.Module):
    """Builds something that is no graph."""

    def forward(self, x: Tensor, _: BatchLayout) -> Tensor:
        return x


BAD_PARTS = {
    r"encoder must be a torch.nn.Module, but got int": {"encoder": 3},
    r"encoder must have in_channels, .* but Linear has None": {"encoder": torch.nn.Linear(4, 4)},
    r"fusion must have an integer out_channels, .* head Classifier, but Linear has None": {
        "fusion": torch.nn.Linear(4, 7)
    },
    r"fusion must take what encoder gives, but DynamicFusion has in_channels 5 and "
    r"UtteranceEncoder out_channels 4": {"fusion": DynamicFusion(5, 2, 1)},
    r"head must take what fusion gives, but Classifier has in_channels 8 and DynamicFusion": {
        "head": Classifier(list(SIZES), 8, 3)
    },
    r"graph must build an object with propagate and impute, for fusion DynamicFusion .* Blind": {
        "graph": Blind()
    },
}


@pytest.mark.parametrize("message", BAD_PARTS)
def test_parts_that_do_not_fit(message: str) -> None:
    parts = {
        "encoder": encoder(),
        "graph": ConversationGraph(),
        "fusion": DynamicFusion(4, 3, 2),
        "head": Classifier(list(SIZES), 7, 3),
    }
    part = BAD_PARTS[message]
    if isinstance(part.get("fusion"), torch.nn.Linear):
        part["fusion"].in_channels = 4
    with pytest.raises((TypeError, ValueError), match=message):
        ConversationModel(**parts | part)


def test_tasks() -> None:
    one = conversation()
    score = MMDFN(SIZES, 1, task="regression")
    predicted = score.predict(one)
    assert predicted == pytest.approx(score.eval()(one).flatten().tolist(), abs=1e-5)
    two = MMDFN(SIZES, 2, task="regression", class_names=["valence", "arousal"])
    assert [set(each) for each in two.predict(one)] == [{"valence", "arousal"}] * 5
    several = MMDFN(SIZES, 2, task="multilabel", class_names=["joy", "anger"])
    expected = several.eval()(one).sigmoid()[:, 0].tolist()
    assert [each["joy"] for each in several.predict(one)] == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ValueError, match="num_classes must be at least 2 for classification, but"):
        MMDFN(SIZES, 1)
    with pytest.raises(ValueError, match=r"task must be one of .* but got 'ranking'"):
        MMDFN(SIZES, 2, task="ranking")


def test_features_of_any_dtype_are_cast_once_standardised() -> None:
    offset = {name: 1e9 + torch.randn(5, d).double() for name, d in SIZES.items()}
    one = Conversation(offset, torch.arange(5) % 2)
    model = model_of(DynamicFusion(4, 3, 2))
    model.standardize.fit(one)
    exact = {name: ((x - x.mean(0)) / x.std(0, correction=0)) for name, x in offset.items()}
    expected = model_of(DynamicFusion(4, 3, 2))
    expected.load_state_dict(model.state_dict())
    expected.standardize.reset_parameters()
    torch.testing.assert_close(model(one), expected(Conversation(exact, one.speaker)))
    assert model(one).dtype == torch.float32


def test_threads_predict_while_another_trains() -> None:
    """Each prediction is without dropout, and each training step with it."""
    model = MMDFN(SIZES, 2, dropout=0.5, channels=4, hidden_channels=4, num_layers=1)
    one = conversation()
    expected = model.predict(one)
    wrong, stop = [], threading.Event()

    def predict() -> None:
        while not stop.is_set():
            if model.predict(one) != expected:
                wrong.append("prediction")

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        if not all(module.training for module in model.modules()):
            wrong.append("mode")
        if torch.equal(model(one), model(one)):
            wrong.append("dropout")
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_torch_recipe_of_to_empty() -> None:
    with torch.device("meta"):
        model = MMDFN(SIZES, 2)
    model.to_empty(device="cpu")
    model.reset_parameters()
    assert model(conversation()).isfinite().all()
    x = torch.randn(2, 6)
    features = {"text": x, "audio": torch.randn(2, 7)}
    assert torch.equal(model.standardize(features)["text"], x)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("vision", "visual"),
        ("video", "visual"),
        ("acoustic", "audio"),
        ("language", "text"),
        ("Text", "text"),
        ("vision_clip", "visual"),
    ],
)
def test_presets_know_aliases(name: str, published: str) -> None:
    weights = {"audio": 3.0, "visual": 0.0, "text": 1.0}
    model = MMDFN.from_preset("iemocap", {name: 4}, 2)
    assert model.encoder.speaker_weights == {name: weights[published]}
    assert (name in model.encoder.contexts) == (published == "text")


def test_nodes_are_named_alike_in_all_parts() -> None:
    def model(encoder: list[str], head: list[str]) -> ConversationModel:
        sizes = dict.fromkeys(encoder, 3)
        parts = UtteranceEncoder(sizes, channels=4), ConversationGraph(), NoFusion(4)
        return ConversationModel(*parts, Classifier(head, 4, 2))

    model(["text", "audio"], ["text", "audio"])
    for head in (["audio", "text"], ["text", "video"]):
        with pytest.raises(
            ValueError, match="head must have the encoder's modalities .* same order"
        ):
            model(["text", "audio"], head)
