import pytest
import torch
from hypothesis import given
from torch import Tensor

from graphfusion import BatchLayout, SpeakerEmbedding, SpeakerEncoder
from graphfusion.testing.strategies import RaggedBatch, batches, seeds
from tests.asserts import assert_equal, assert_every_parameter_learns, assert_saves

ENCODER = SpeakerEncoder(5, 3).double()
FORWARD = SpeakerEncoder(5, 3, bidirectional=False).double()


def by_definition(encoder: SpeakerEncoder, batch: RaggedBatch) -> Tensor:
    """A plain GRU over each speaker's own utterances, one at a time."""
    out = torch.zeros(*batch.x.shape[:2], encoder.out_channels, dtype=batch.x.dtype)
    conversation = batch.layout.batch
    for m in range(batch.x.size(1)):
        for b in range(len(batch.ptr) - 1):
            for speaker in batch.speaker.unique():
                own = (conversation == b) & (batch.speaker == speaker) & batch.here[:, m]
                if own.any():
                    out[own, m] = encoder.rnn(batch.x[own, m])[0]
    return out


@given(batches())
@pytest.mark.parametrize("encoder", [ENCODER, FORWARD])
def test_is_a_gru_over_each_speakers_own_utterances(
    encoder: SpeakerEncoder, batch: RaggedBatch
) -> None:
    assert_equal(encoder(batch.x, batch.layout), by_definition(encoder, batch))


@given(batches(), seeds)
def test_speakers_names_do_not_matter(batch: RaggedBatch, seed: int) -> None:
    names = torch.randperm(50, generator=torch.Generator().manual_seed(seed))
    renamed = BatchLayout(batch.ptr, names[batch.speaker], batch.present)
    assert_equal(ENCODER(batch.x, renamed), ENCODER(batch.x, batch.layout))


@given(batches(masked=True))
def test_values_at_absent_nodes_do_not_matter(batch: RaggedBatch) -> None:
    junk = batch.x.masked_fill(~batch.here.unsqueeze(-1), float("nan")).requires_grad_()
    out = ENCODER(junk, batch.layout)
    assert torch.equal(out, ENCODER(batch.x, batch.layout))
    assert not out[~batch.here].any()
    out.sum().backward()
    assert junk.grad.isfinite().all()


def test_learns_and_saves() -> None:
    encoder = SpeakerEncoder(4, 3, dropout=0.3)
    layout = BatchLayout(torch.tensor([0, 3, 5]), torch.tensor([0, 1, 0, 0, 1]))
    x = torch.randn(5, 2, 4)
    assert_every_parameter_learns(encoder, encoder(x, layout))
    assert_saves(encoder, x, layout)
    assert repr(encoder) == "SpeakerEncoder(4, 3)"
    SpeakerEncoder(4, 3, num_layers=1, dropout=0.3)  # does not warn


def test_gradcheck() -> None:
    encoder = SpeakerEncoder(2, 2, num_layers=1).double()
    present = torch.tensor([[True, False], [True, True], [False, True]])
    layout = BatchLayout(torch.tensor([0, 2, 3]), torch.tensor([0, 0, 1]), present)
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: encoder(x, layout), (x,))


def test_embedding_adds_the_speakers_vector() -> None:
    embedding = SpeakerEmbedding(3, 4)
    speaker = torch.tensor([2, 0, 2])
    x = torch.randn(3, 2, 4)
    before = x.clone()
    out = embedding(x, speaker)
    assert torch.equal(out, x + embedding.embedding.weight[speaker].unsqueeze(1))
    assert torch.equal(embedding(x[:, 0], speaker), out[:, 0])
    assert torch.equal(x, before)
    assert_every_parameter_learns(embedding, out)
    assert_saves(embedding, x, speaker)
    assert repr(embedding) == "SpeakerEmbedding(3, 4)"


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="^in_channels must be at least 1, but got 0"):
        SpeakerEncoder(0, 4)
    with pytest.raises(ValueError, match="^hidden_channels must be at least 1, but got -3"):
        SpeakerEncoder(4, -3)
    with pytest.raises(ValueError, match="^num_speakers must be at least 1, but got 0"):
        SpeakerEmbedding(0, 4)
    with pytest.raises(ValueError, match="^channels must be at least 1, but got -3"):
        SpeakerEmbedding(4, -3)
    for bad in (-0.1, 1.5):
        with pytest.raises(ValueError, match=rf"^dropout must .* in \[0, 1\], but got {bad}"):
            SpeakerEncoder(4, 3, dropout=bad)
    with pytest.raises(ValueError, match="num_layers must be at least 1, but got 0"):
        SpeakerEncoder(4, 3, num_layers=0)
    encoder = SpeakerEncoder(4, 3)
    ptr, speaker = torch.tensor([0, 3]), torch.tensor([0, 1, 0])
    with pytest.raises(ValueError, match="^speaker must be given to the layout, but got none"):
        encoder(torch.randn(3, 2, 4), BatchLayout(ptr))
    with pytest.raises(ValueError, match=r"x must have shape \[U, M, 4\], but got \[3, 4\]"):
        encoder(torch.randn(3, 4), BatchLayout(ptr, speaker))
    masked = BatchLayout(ptr, speaker, torch.zeros(3, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"x must have shape \[3, 2, 4\], but got \[3, 1, 4\]"):
        encoder(torch.randn(3, 1, 4), masked)
    embedding = SpeakerEmbedding(2, 4)
    with pytest.raises(ValueError, match=r"x must have shape \[U, M, 4\], but got \[3, 1, 5\]"):
        embedding(torch.randn(3, 1, 5), speaker)
    with pytest.raises(ValueError, match=r"x must have shape \[U, 4\], but got \[3, 5\]"):
        embedding(torch.randn(3, 5), speaker)
    with pytest.raises(ValueError, match=r"speaker must have shape \[2\], but got \[3\]"):
        embedding(torch.randn(2, 4), speaker)
    for bad in (-1, 2):
        with pytest.raises(ValueError, match=rf"speaker must be in \[0, 2\), but got {bad}"):
            embedding(torch.randn(1, 4), torch.tensor([bad]))
    for module in (encoder, embedding):
        with pytest.raises(TypeError, match="x must be of the module's dtype torch.float32"):
            module(torch.randn(3, 1, 4).double(), BatchLayout(ptr, speaker))
