"""The order of modalities never matters: everything is matched by name."""

from pathlib import Path
from random import Random

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch

from graphfusion import MMDFN, BatchLayout, Conversation
from graphfusion.testing import RaggedBatch
from graphfusion.testing.strategies import batches, models, seeds
from tests.asserts import assert_equal


def reordered(mapping: dict[str, Tensor], random: Random) -> dict[str, Tensor]:
    return dict(random.sample(list(mapping.items()), len(mapping)))


def other_order(model: MMDFN, random: Random) -> MMDFN:
    """A model of the same modalities in another order, with the weights of the first by name."""
    config = model.config
    for name in ("in_channels", "speaker_weights"):
        config[name] = reordered(config[name], random)
    other = MMDFN(**config).double().eval()
    state = list(model.state_dict().items())
    random.shuffle(state)
    other.load_state_dict(dict(state))
    return other


def gradients(model: MMDFN, logits: Tensor) -> dict[str, Tensor]:
    parameters = dict(model.named_parameters())
    found = torch.autograd.grad(logits.square().sum(), parameters.values(), allow_unused=True)
    return {n: g for n, g in zip(parameters, found, strict=True) if g is not None}


@given(st.data(), batches(max_modalities=4), seeds)
def test_of_models_conversations_masks_and_layouts(
    data: st.DataObject, batch: RaggedBatch, seed: int
) -> None:
    random = Random(seed)
    model = data.draw(models(batch.x.size(1))).double()
    other = other_order(model, random)
    expected = model(batch.features, batch.layout)
    present = batch.named_present or {}
    members = [
        Conversation(
            reordered(each.features, random),
            each.speaker,
            present=reordered(each.named_present or {}, random),
        )
        for each in batch.conversations()
    ]
    features = reordered(batch.features, random)
    layout = BatchLayout(batch.ptr, batch.speaker, reordered(present, random) or None)
    for logits in (
        other(Batch.from_data_list(members)),
        other(features, batch.speaker, batch.ptr, reordered(present, random)),
        other(features, layout),
        model(features, layout),
    ):
        assert_equal(logits, expected)
    ours, theirs = gradients(model, expected), gradients(other, other(features, layout))
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        assert_equal(theirs[name], gradient, rtol=1e-7)


def test_a_seed_draws_the_weights_that_one_matrix_had() -> None:
    """As `torch.nn.Linear` over all modalities side by side draws them."""
    sizes = {"text": 6, "audio": 7}
    torch.manual_seed(1)
    model = MMDFN(sizes, 3, channels=4, hidden_channels=3, num_layers=2, utterance_channels=5)
    torch.manual_seed(1)
    for size in (6, 7):
        torch.nn.Linear(size, 4)
    torch.nn.GRU(4, 2, 2, bidirectional=True)
    for _ in range(2):  # once when made, once by the fusion's reset_parameters
        torch.nn.Linear(4, 3)
        torch.nn.LSTMCell(3, 3)
    torch.empty(2, 6, 3).uniform_(-(3**-0.5), 3**-0.5)
    classifier, hidden = torch.nn.Linear(14, 3), torch.nn.Linear(13, 5)
    linear, utterance = model.head.linear, model.head.utterance_classifier
    assert torch.equal(torch.cat([linear.weight[name] for name in sizes], 1), classifier.weight)
    assert torch.equal(linear.bias, classifier.bias)
    weights = [utterance.hidden.weight[name] for name in sizes]
    assert torch.equal(torch.cat(weights, 1), hidden.weight)


def test_of_a_saved_folder(tmp_path: Path) -> None:
    model = MMDFN({"text": 6, "audio": 7}, 3, context=["text"], utterance_channels=4).eval()
    features = {"audio": torch.randn(4, 7), "text": torch.randn(4, 6)}
    one = Conversation(features, torch.tensor([0, 1, 0, 1]))
    model.standardize.fit(one)
    model.save_pretrained(tmp_path)
    loaded = MMDFN.from_pretrained(tmp_path)
    assert torch.equal(loaded(one), model(one))
