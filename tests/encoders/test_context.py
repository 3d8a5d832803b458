import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import BatchLayout, ContextEncoder, ModalityEmbedding, SpeakerEncoder
from graphfusion.streaming.recurrent_state import RecurrentState
from graphfusion.testing.strategies import RaggedBatch, batches, seeds
from tests.asserts import assert_equal, assert_every_parameter_learns, assert_saves

ENCODER = ContextEncoder(5, 3).double()
FORWARD = ContextEncoder(5, 3, bidirectional=False).double()


@given(batches())
@pytest.mark.parametrize("encoder", [ENCODER, FORWARD])
def test_is_a_gru_over_each_conversation(encoder: ContextEncoder, batch: RaggedBatch) -> None:
    conversation = batch.layout.batch
    for m in range(batch.x.size(1)):
        expected = torch.zeros(len(batch.x), encoder.out_channels, dtype=torch.float64)
        for b in range(len(batch.ptr) - 1):
            own = (conversation == b) & batch.here[:, m]
            if own.any():
                expected[own] = encoder.rnn(batch.x[own, m])[0]
        assert_equal(encoder(batch.x[:, m], batch.layout, m), expected)


@given(batches(masked=False))
def test_needs_no_modality_where_all_are_present(batch: RaggedBatch) -> None:
    x = batch.x[:, 0]
    assert torch.equal(ENCODER(x, batch.ptr), ENCODER(x, batch.layout, modality=0))


@given(seeds, st.integers(1, 3))
def test_a_recurrent_state_continues(seed: int, num_layers: int) -> None:
    torch.manual_seed(seed)
    encoder = ContextEncoder(5, 3, num_layers, bidirectional=False).double()
    memory = RecurrentState(encoder, 4)
    x, here = torch.randn(6, 4, 5, dtype=torch.float64), torch.rand(6, 4) < 0.7
    out = torch.zeros(6, 4, 3, dtype=torch.float64)
    for t in range(6):
        chosen = torch.randperm(4)[: 1 + t % 4]
        there = here[t].clone()
        here[t] = False
        here[t, chosen] = there[chosen]
        with torch.no_grad():
            out[t, chosen] = memory.step(x[t, chosen], here[t, chosen], chosen)
            memory.commit()
    expected = torch.zeros_like(out)
    for s in range(4):
        if here[:, s].any():
            expected[here[:, s], s] = encoder.rnn(x[here[:, s], s])[0].detach()
    assert_equal(out, expected)


@pytest.mark.parametrize("kind", [ContextEncoder, SpeakerEncoder])
def test_two_bidirectional_layers_are_the_default(
    kind: type[ContextEncoder] | type[SpeakerEncoder],
) -> None:
    encoder = kind(4, 3)
    assert (encoder.rnn.num_layers, encoder.rnn.bidirectional, encoder.rnn.dropout) == (2, True, 0)
    assert encoder.out_channels == 6
    other = kind(4, 3, num_layers=1, dropout=0.3, bidirectional=False)
    assert (other.rnn.num_layers, other.rnn.bidirectional, other.rnn.dropout) == (1, False, 0)
    assert other.out_channels == 3
    assert kind(4, 3, dropout=0.3).rnn.dropout == 0.3


def test_learns_and_saves() -> None:
    encoder = ContextEncoder(4, 3, dropout=0.3)
    x, ptr = torch.randn(5, 4), torch.tensor([0, 3, 5])
    assert_every_parameter_learns(encoder, encoder(x, ptr))
    assert_saves(encoder, x, ptr)
    assert repr(encoder) == "ContextEncoder(4, 3)"


def test_modality_embedding_adds_the_modalitys_vector() -> None:
    embedding = ModalityEmbedding(2, 4)
    x = torch.randn(3, 2, 4)
    out = embedding(x)
    assert torch.equal(out, x + embedding.embedding.weight)
    assert_every_parameter_learns(embedding, out)
    assert_saves(embedding, x)
    assert repr(embedding) == "ModalityEmbedding(2, 4)"


def test_bad_input() -> None:
    with pytest.raises(TypeError, match="bidirectional must be True or False, but got 'no'"):
        ContextEncoder(4, 3, bidirectional="no")
    encoder = ContextEncoder(4, 3)
    ptr = torch.tensor([0, 3])
    with pytest.raises(ValueError, match=r"x must have shape \[U, 4\], but got \[3, 2, 4\]"):
        encoder(torch.randn(3, 2, 4), ptr)
    with pytest.raises(ValueError, match=r"x must have shape \[3, 4\], but got \[2, 4\]"):
        encoder(torch.randn(2, 4), ptr)
    masked = BatchLayout(ptr, present=torch.zeros(3, 2, dtype=torch.bool))
    with pytest.raises(
        ValueError, match="^modality must be given where modalities are absent, but got None"
    ):
        encoder(torch.randn(3, 4), masked)
    with pytest.raises(ValueError, match="modality must be one of the 2 that present has, but got"):
        encoder(torch.randn(3, 4), masked, modality=2)
    with pytest.raises(ValueError, match="modality must be one of .*, but got 'text'"):
        encoder(torch.randn(3, 4), masked, modality="text")
    with pytest.raises(TypeError, match="x must be of the module's dtype torch.float32, but got"):
        encoder(torch.randn(3, 4).double(), ptr)
    with pytest.raises(TypeError, match="x must be of the module's dtype torch.float32, but got"):
        ModalityEmbedding(2, 4)(torch.randn(3, 2, 4).double())
    with pytest.raises(ValueError, match="^num_modalities must be at least 1, but got 0"):
        ModalityEmbedding(0, 4)
    with pytest.raises(ValueError, match="^channels must be at least 1, but got 0"):
        ModalityEmbedding(2, 0)
    with pytest.raises(ValueError, match=r"x must have shape \[U, 2, 4\], but got \[3, 3, 4\]"):
        ModalityEmbedding(2, 4)(torch.randn(3, 3, 4))
