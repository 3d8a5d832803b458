import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch_geometric.data import Batch

from graphfusion import MMDFN, Conversation
from graphfusion._kernels.gru import PackedGRU
from graphfusion._kernels.padded_gru import padded_gru
from graphfusion.export import PaddedBatch, PaddedModel
from graphfusion.models.baselines import bigru
from graphfusion.models.fusions import swap_fusion
from graphfusion.models.zero_filled import zero_filled
from graphfusion.testing.strategies import seeds
from tests.asserts import assert_equal
from tests.profiles import in_quick

SIZES = {"text": 5, "audio": 4}
OPTIONS = {
    "as published": {},
    "window": {"past": 2, "future": 1},
    "half a window": {"past": 2},
    "ours": {"speaker_normalized": ["audio"], "utterance_channels": 5},
    "causal": {"causal": True, "past": 3},
    "no speakers": {"speaker_weights": dict.fromkeys(SIZES, 0.0), "context": ()},
}


def conversation(length: int) -> Conversation:
    return Conversation(
        {name: torch.randn(length, size, dtype=torch.float64) for name, size in SIZES.items()},
        torch.randint(0, 3, (length,)),
        present={name: torch.rand(length) < 0.7 for name in SIZES},
    )


def model_of(option: str) -> MMDFN:
    small = {"channels": 6, "hidden_channels": 4, "num_layers": 2, "context": ("text",)}
    model = MMDFN(SIZES, 3, **(small | OPTIONS[option])).double()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return model.eval()


def assert_same(padded: Tensor, model: MMDFN, conversations: list[Conversation]) -> None:
    expected = model(Batch.from_data_list(conversations))
    rows = [row[: each.num_nodes] for row, each in zip(padded, conversations, strict=True)]
    assert_equal(torch.cat(rows), expected)


@in_quick(5)
@given(seeds, st.lists(st.integers(1, 9), min_size=1, max_size=4))
@pytest.mark.parametrize("option", OPTIONS)
def test_is_the_model(option: str, seed: int, lengths: list[int]) -> None:
    torch.manual_seed(seed)
    model, conversations = model_of(option), [conversation(length) for length in lengths]
    assert_same(PaddedModel(model)(*PaddedBatch.of(conversations)), model, conversations)


def test_values_in_the_padding_do_not_matter() -> None:
    model, conversations = model_of("as published"), [conversation(5), conversation(2)]
    features, speaker, present = PaddedBatch.of(conversations)
    for value in features.values():
        value[1, 2:] = torch.nan
    speaker[1, 2:] = 17
    assert_same(PaddedModel(model)(features, speaker, present), model, conversations)


def test_leaves_the_model_in_its_mode_and_shares_its_weights() -> None:
    model = model_of("as published").train()
    padded = PaddedModel(model)
    assert model.training
    assert not padded.model.training
    for one, other in zip(padded.parameters(), model.parameters(), strict=True):
        assert one is other


def test_refuses_models_that_do_not_mask() -> None:
    for model in (bigru({"text": 3}, 2), zero_filled(MMDFN({"text": 3}, 2, num_layers=1))):
        with pytest.raises(
            ValueError, match="model must mask missing utterances, as which padding"
        ):
            PaddedModel(model)


def test_refuses_other_modules() -> None:
    with pytest.raises(TypeError, match="model must be a ConversationModel, but got Linear"):
        PaddedModel(torch.nn.Linear(2, 2))


@given(seeds, st.lists(st.integers(1, 6), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_a_padded_gru_is_pytorchs(
    seed: int, lengths: list[int], bidirectional: bool, bias: bool
) -> None:
    """Over sequences one after the other in a column, and side by side."""
    torch.manual_seed(seed)
    gru = PackedGRU(3, 4, 2, bias=bias, bidirectional=bidirectional).double()
    sequences = [torch.randn(length, 3, dtype=torch.float64) for length in lengths]
    expected = torch.cat([gru(sequence)[0] for sequence in sequences])
    first = torch.cat([torch.arange(length) == 0 for length in lengths]).unsqueeze(1)
    here = torch.ones_like(first)
    assert_equal(padded_gru(gru, torch.cat(sequences).unsqueeze(1), first, here)[:, 0], expected)
    padded = torch.nn.utils.rnn.pad_sequence(sequences)
    step = torch.arange(len(padded)).unsqueeze(1)
    out = padded_gru(
        gru, padded, (step == 0).expand(-1, len(lengths)), step < torch.tensor(lengths)
    )
    rows = [row[:length] for row, length in zip(out.unbind(1), lengths, strict=True)]
    assert_equal(torch.cat(rows), expected)


def test_batches_of_one_and_of_pyg() -> None:
    several = [conversation(3), conversation(5)]
    expected = PaddedBatch.of(several)
    packed = PaddedBatch.of(Batch.from_data_list(several))
    for one, other in zip(tree_leaves(tuple(packed)), tree_leaves(tuple(expected)), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(PaddedBatch.of(several[0]).features["text"][0], several[0].features["text"])


def test_of_a_batch_keeps_every_modality_and_digit() -> None:
    speaker = torch.tensor([0])
    one = Conversation({"text": torch.ones(1, 2)}, speaker)
    both = Conversation({"text": torch.ones(1, 2), "audio": torch.ones(1, 2)}, speaker)
    for several in ([one, both], [both, one]):
        with pytest.raises(ValueError, match="must have the same modalities and sizes"):
            PaddedBatch.of(several)
    exact = Conversation({"text": torch.full((1, 2), 1.7e9 + 0.1).double() + 1e-3}, speaker)
    features = PaddedBatch.of([one, exact]).features["text"]
    assert torch.equal(features[1], exact.features["text"])


def test_bad_conversations() -> None:
    with pytest.raises(ValueError, match="conversations must not be empty"):
        PaddedBatch.of([])
    with pytest.raises(TypeError, match="conversations must be of Conversation, but got int"):
        PaddedBatch.of([3])


@pytest.mark.slow
def test_an_exported_convolution_takes_other_sizes() -> None:
    weights = dict.fromkeys(SIZES, 0.0)  # no recurrence, which takes long
    model = MMDFN(SIZES, 3, num_layers=1, channels=8, hidden_channels=4, speaker_weights=weights)
    model = swap_fusion(model, "self_attention").double().eval()
    exported = PaddedModel(model).export().module()
    for lengths in ((30, 4), (2, 1, 1, 1)):
        conversations = [conversation(length) for length in lengths]
        assert_same(exported(*PaddedBatch.of(conversations)), model, conversations)


def test_hyperedges_are_not_exported() -> None:
    model = swap_fusion(MMDFN(SIZES, 3, num_layers=1, channels=8), "hypergraph")
    with pytest.raises(RuntimeError, match="hyperedge_index must not be exported"):
        PaddedModel(model).export()
