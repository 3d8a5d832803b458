"""Other fusions in the place of MM-DFN's."""

import pytest
import torch
from torch_geometric.data import Batch

from graphfusion import MMDFN, Conversation, ConvFusion
from graphfusion.models.fusions import FUSIONS, WINDOW, swap_fusion
from graphfusion.testing import check_model

SIZES = {"text": 5, "audio": 4}


def conversation(size: int) -> Conversation:
    features = {name: torch.randn(size, d) for name, d in SIZES.items()}
    return Conversation(features, torch.arange(size) % 2)


def small(**changes: object) -> MMDFN:
    options = {"channels": 6, "hidden_channels": 4, "num_layers": 2, "dropout": 0.0}
    return MMDFN(SIZES, 3, **(options | changes))


@pytest.mark.parametrize(
    "name",
    [
        each if each == "joint_layer" else pytest.param(each, marks=pytest.mark.slow)
        for each in FUSIONS
    ],
)
def test_each_keeps_the_contracts(name: str) -> None:
    check_model(swap_fusion(small(), name))


@pytest.mark.parametrize("name", FUSIONS)
def test_only_the_fusion_is_another(name: str) -> None:
    model = small(task="regression", class_names=["a", "b", "c"], utterance_channels=4)
    swapped = swap_fusion(model, name).eval()
    assert swapped.encoder is model.encoder
    assert swapped.head.utterance_classifier is model.head.utterance_classifier
    assert (swapped.task, swapped.class_names) == (model.task, model.class_names)
    x = conversation(5)
    assert swapped(x).shape == (5, 3)
    before = swapped(x)
    swapped.fusion.reset_parameters()
    parameters = list(swapped.fusion.parameters())
    assert torch.equal(swapped(x), before) == (not parameters)


@pytest.mark.parametrize("name", FUSIONS)
def test_the_order_of_modalities_does_not_matter(name: str) -> None:
    one = swap_fusion(small(), name).eval()
    reverse = dict(reversed(SIZES.items()))
    options = {"channels": 6, "hidden_channels": 4, "num_layers": 2, "dropout": 0.0}
    other = swap_fusion(MMDFN(reverse, 3, **options), name).eval()
    other.load_state_dict(one.state_dict())
    batch = Batch.from_data_list([conversation(size) for size in (1, 4)])
    torch.testing.assert_close(other(batch), one(batch))


def test_a_window_is_the_models_own_if_it_has_one() -> None:
    def window(**changes: object) -> tuple[int | None, int | None]:
        graph = swap_fusion(small(**changes), "self_attention").graph
        return graph.past, graph.future

    assert window() == (WINDOW, WINDOW)
    assert window(past=3) == (3, WINDOW)
    assert window(causal=True) == (WINDOW, 0)
    assert swap_fusion(small(), "hypergraph").graph.past is None


@pytest.mark.parametrize("name", [name for name in FUSIONS if not FUSIONS[name].whole])
def test_a_causal_model_does_not_look_ahead(name: str) -> None:
    model = swap_fusion(small(causal=True), name).eval()
    x = conversation(6)
    later = Conversation({key: value.clone() for key, value in x.features.items()}, x.speaker)
    for value in later.features.values():
        value[4:] += 1
    before, after = model(x), model(later)
    torch.testing.assert_close(after[:4], before[:4])
    assert not torch.equal(after[4:], before[4:])


def test_what_a_fusion_cannot_take_is_refused() -> None:
    for changes in ({"causal": True}, {"past": 2}, {"future": 2}):
        with pytest.raises(ValueError, match="and causal must be left out with hypergraph, which"):
            swap_fusion(small(**changes), "hypergraph")
    with pytest.raises(ValueError, match="concat must be True with gcn2, but got False"):
        swap_fusion(small(concat=False), "gcn2")


def test_as_many_gcn2_layers_as_the_model_has() -> None:
    fusion = swap_fusion(small(num_layers=3), "gcn2").fusion
    assert isinstance(fusion, ConvFusion)
    assert len(fusion.convs) == 3


def test_no_other_name() -> None:
    with pytest.raises(ValueError, match="name must be one of .*, but got 'gate'"):
        swap_fusion(small(), "gate")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", FUSIONS)
def test_in_other_dtypes(name: str, dtype: torch.dtype) -> None:
    model = swap_fusion(MMDFN({"text": 5}, 3, num_layers=2, channels=6, hidden_channels=4), name)
    model = model.to(dtype)
    logits = model({"text": torch.randn(5, 5)}, torch.tensor([0, 1, 0, 0, 1]), torch.tensor([0, 5]))
    assert logits.dtype == dtype
    logits.float().square().sum().backward()
    for key, weight in model.named_parameters():
        assert weight.grad is not None, key
        assert weight.grad.isfinite().all(), key
