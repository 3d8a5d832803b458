"""The modules inside other people's PyTorch: copied, moved, wrapped, traced and taken elsewhere."""

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrize
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from graphfusion import MMDFN, BatchLayout, Conversation, ConversationGraph, DynamicFusion
from tests._versions import needs_torch

SIZES = {"text": 5, "audio": 4}
LENGTHS = [(7, 4), (3,), (1,), (12, 20, 5), (6, 6, 6), (2, 2, 2, 31)]


def conversation(length: int) -> Conversation:
    features = {name: torch.randn(length, size) for name, size in SIZES.items()}
    y = torch.randint(0, 3, (length,))
    return Conversation(features, torch.randint(0, 2, (length,)), y, id=f"of {length}")


def packed(lengths: tuple[int, ...]) -> tuple[dict[str, Tensor], BatchLayout]:
    batch = Batch.from_data_list([conversation(length) for length in lengths])
    return dict(batch.features), BatchLayout(batch.ptr, batch.speaker)


def model_of(**kwargs: object) -> MMDFN:
    """With weights large enough for everything to show in the logits."""
    small = {"channels": 6, "hidden_channels": 4, "num_layers": 2, "context": ("text",)}
    small["utterance_channels"] = 5
    model = MMDFN(SIZES, 3, **(small | kwargs))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return model.eval()


def loss_of(model: torch.nn.Module, features: dict[str, Tensor], layout: BatchLayout) -> Tensor:
    return model(features, layout).square().sum()


def gradients(model: torch.nn.Module) -> list[Tensor]:
    return [weight.grad for weight in model.parameters()]


def test_trains_from_pygs_loader_with_further_attributes() -> None:
    conversations = [conversation(length) for length in (3, 1, 4, 2)]
    for number, one in enumerate(conversations):
        one.mood, one.scene_index, one.note = torch.ones(1), torch.tensor([number]), "a note"
    model = model_of(dropout=0.0, utterance_channels=None).train()
    seen = []
    for batch in DataLoader(conversations, batch_size=2):
        logits = model(batch.features, batch.speaker, batch.ptr, batch.present)
        torch.nn.functional.cross_entropy(logits, batch.y).backward()
        alone = [
            model(one.features, one.speaker, torch.tensor([0, one.num_nodes]))
            for one in batch.to_data_list()
        ]
        torch.testing.assert_close(logits, torch.cat(alone))
        seen += batch.note
    assert seen == ["a note"] * 4
    assert all(gradient is not None for gradient in gradients(model))


def test_fuses_any_graph_of_pyg() -> None:
    graphs = [
        Data(x=torch.randn(size, 5), edge_index=torch.randint(0, size, (2, 7)), edge_attr=ones)
        for size, ones in ((4, torch.ones(7)), (6, torch.ones(7)))
    ]
    fusion = DynamicFusion(5, 4, 2)
    batch = Batch.from_data_list(graphs)
    together = fusion(batch.x, batch.edge_index, batch.edge_attr)
    alone = [fusion(each.x, each.edge_index, each.edge_attr) for each in graphs]
    torch.testing.assert_close(together, torch.cat(alone))


@needs_torch("2.10", "torch.func over the making of a layout")
@pytest.mark.parametrize("gated", [True, False])
def test_functional_gradients(gated: bool) -> None:
    fusion = DynamicFusion(5, 4, 2, gated=gated)
    x, build = torch.randn(6, 2, 5), ConversationGraph()
    ptr = torch.tensor([0, 4, 6])

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(fusion, weights, (x, build(x, ptr))).square().sum()

    weights = dict(fusion.named_parameters())
    by_weight, by_x = torch.func.grad(loss, argnums=(0, 1))(weights, x)
    leaf = x.clone().requires_grad_()
    loss(weights, leaf).backward()
    torch.testing.assert_close(by_x, leaf.grad)
    for name, weight in weights.items():
        torch.testing.assert_close(by_weight[name], weight.grad)


def test_functional_gradients_of_a_whole_model() -> None:
    """One without recurrent encoders: PyTorch's GRU has no functional gradients (torch 2.13)."""
    model = model_of(context=(), speaker_weights=dict.fromkeys(SIZES, 0))
    batch = packed((3, 2))
    weights = dict(model.named_parameters())
    found = torch.func.grad(
        lambda weights: torch.func.functional_call(model, weights, batch).square().sum()
    )(weights)
    loss_of(model, *batch).backward()
    for name, weight in weights.items():
        torch.testing.assert_close(found[name], weight.grad)


def by_torch(model: MMDFN) -> MMDFN:
    """Through a file of weights, which is not unpickled freely."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = model_of()
    other.load_state_dict(torch.load(file, weights_only=True))
    return other


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), by_torch]
)
def test_copies_are_equal_and_apart(copied: object) -> None:
    model, batch = model_of(), packed(LENGTHS[0])
    before = model(*batch).detach()
    other = copied(model)
    assert torch.equal(other(*batch), before)
    for weight in other.parameters():
        weight.data.zero_()
    assert torch.equal(model(*batch), before)
    assert not torch.equal(other(*batch), before)


@pytest.mark.usefixtures("alone")
def test_distributed_data_parallel() -> None:
    """Of several processes: tests/training/test_fit.py."""
    model = model_of()
    wrapped = torch.nn.parallel.DistributedDataParallel(copy.deepcopy(model))
    for lengths in LENGTHS[:2]:  # the second step fails if the first left a weight without gradient
        batch = packed(lengths)
        loss_of(model, *batch).backward()
        loss_of(wrapped, *batch).backward()
    torch.testing.assert_close(gradients(wrapped), gradients(model))


def test_a_default_device_changes_nothing() -> None:
    """Tensors of the meta device have no values."""
    features = {"text": torch.randn(4, 5), "audio": torch.randn(4, 4)}
    mask = {"audio": torch.tensor([True, False, True, True])}
    one = Conversation(features, torch.tensor([0, 1, 0, 2]), present=mask)
    model = MMDFN({"text": 5, "audio": 4}, 3, num_layers=2, causal=True, past=2).eval()
    statistics = copy.deepcopy(model.standardize).fit(one).state_dict()
    with torch.device("meta"):
        model.standardize.fit(one)
        logits, stream = model(one), model.stream()
        steps = [
            stream.step(
                {name: x[u : u + 1] for name, x in features.items()},
                one.speaker[u : u + 1],
                present={name: x[u : u + 1] for name, x in one.present.items()},
            )
            for u in range(4)
        ]
    assert all(torch.equal(x, statistics[n]) for n, x in model.standardize.state_dict().items())
    assert torch.equal(logits, model(one))
    torch.testing.assert_close(torch.cat(steps), logits)


class Halved(torch.nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight / 2

    def right_inverse(self, weight: Tensor) -> Tensor:
        return 2 * weight


def test_parametrized_weights() -> None:
    model, batch = model_of(), packed(LENGTHS[0])
    plain = copy.deepcopy(model)
    fusion, encoder = model.fusion, model.encoder.speaker_encoder
    for module, name in (
        (fusion, "weight"),
        (fusion.lin, "weight"),
        (fusion.cell, "weight_hh"),
        (fusion.cell, "bias_ih"),
        (encoder.rnn, "weight_hh_l0"),
        (model.head.linear, "bias"),
    ):
        parametrize.register_parametrization(module, name, Halved())
        assert parametrize.is_parametrized(module, name)
    torch.testing.assert_close(model(*batch), plain(*batch))
    loss_of(model, *batch).backward()
    loss_of(plain, *batch).backward()
    original = fusion.parametrizations.weight.original
    torch.testing.assert_close(2 * original.grad, plain.fusion.weight.grad)


def test_moves_between_devices_and_dtypes() -> None:
    model, (features, layout) = model_of(), packed(LENGTHS[0])
    expected = model(features, layout).detach()
    for dtype, exact in ((torch.float64, 1e-4), (torch.bfloat16, 1.0), (torch.float32, 1.0)):
        model = model.to(dtype)  # the last from bfloat16, with what was rounded away
        out = model({name: value.to(dtype) for name, value in features.items()}, layout)
        assert out.dtype == dtype
        torch.testing.assert_close(out.float(), expected, rtol=exact / 10, atol=exact)


def test_shapes_on_the_meta_device() -> None:
    model, (features, layout) = model_of().to("meta"), packed(LENGTHS[0])
    features = {name: value.to("meta") for name, value in features.items()}
    logits = model(features, layout.to("meta"))
    assert (logits.device.type, logits.shape) == ("meta", (11, 3))


def test_made_on_meta_it_gets_its_weights_later() -> None:
    model, batch = model_of(), packed(LENGTHS[0])
    with torch.device("meta"):
        again = MMDFN(**model.config).eval()
    again.load_state_dict(model.state_dict(), assign=True)
    assert torch.equal(again(*batch), model(*batch))
    drawn = again.to("meta").to_empty(device="cpu")
    drawn.reset_parameters()
    assert drawn(*batch).isfinite().all()


def test_inference_mode() -> None:
    model, batch = model_of(), packed(LENGTHS[0])
    expected = model(*batch)
    with torch.inference_mode():
        out = model(*batch)
    assert out.is_inference()
    torch.testing.assert_close(out, expected)
    # The layout that it used serves outside, where there are gradients.
    loss_of(model, *batch).backward()
    assert all(gradient is not None for gradient in gradients(model))
