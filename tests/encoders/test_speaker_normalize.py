import pytest
import torch
from hypothesis import given
from torch import Tensor

from graphfusion import BatchLayout, speaker_normalize
from graphfusion.testing.strategies import RaggedBatch, batches, seeds
from tests.asserts import assert_equal


def by_definition(batch: RaggedBatch, m: int) -> Tensor:
    """The mean taken off, one speaker of one conversation at a time."""
    out = torch.zeros_like(batch.x[:, m])
    for b in range(len(batch.ptr) - 1):
        for speaker in batch.speaker.unique():
            own = (batch.layout.batch == b) & (batch.speaker == speaker) & batch.here[:, m]
            if own.any():
                out[own] = batch.x[own, m] - batch.x[own, m].mean(0)
    return out


@given(batches())
def test_subtracts_each_speakers_mean(batch: RaggedBatch) -> None:
    for m in range(batch.x.size(1)):
        assert_equal(speaker_normalize(batch.x[:, m], batch.layout, m), by_definition(batch, m))


@given(batches(), seeds)
def test_a_constant_of_a_speaker_does_not_matter(batch: RaggedBatch, seed: int) -> None:
    """Neither a voice of one's own nor one's number."""
    generator = torch.Generator().manual_seed(seed)
    names = torch.randperm(50, generator=generator)
    renamed = BatchLayout(batch.ptr, names[batch.speaker], batch.present)
    voices = torch.randn(len(batch.x), batch.x.size(2), generator=generator, dtype=torch.float64)
    for m, x in enumerate(batch.x.unbind(1)):
        shifted = x + voices[batch.layout.speaker_id]
        expected = speaker_normalize(x, batch.layout, m)
        assert_equal(speaker_normalize(shifted, renamed, m), expected)


@given(batches())
def test_speaker_ids_are_equal_for_a_speaker_of_a_conversation(batch: RaggedBatch) -> None:
    party, conversation = batch.layout.speaker_id, batch.layout.batch
    same = (conversation[:, None] == conversation) & (batch.speaker[:, None] == batch.speaker)
    assert torch.equal(party[:, None] == party, same)
    assert 0 <= party.min() <= party.max() < len(party)


@given(batches(masked=True))
def test_values_at_absent_nodes_do_not_matter(batch: RaggedBatch) -> None:
    junk = batch.x.masked_fill(~batch.here.unsqueeze(-1), float("nan")).requires_grad_()
    for m, x in enumerate(junk.unbind(1)):
        out = speaker_normalize(x, batch.layout, m)
        assert torch.equal(out, speaker_normalize(batch.x[:, m], batch.layout, m))
        assert not out[~batch.here[:, m]].any()
        out.square().sum().backward(retain_graph=True)
    assert junk.grad.isfinite().all()


def test_gradcheck() -> None:
    present = torch.tensor([[True], [True], [False], [True]])
    layout = BatchLayout(torch.tensor([0, 3, 4]), torch.tensor([0, 0, 0, 0]), present)
    x = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: speaker_normalize(x, layout, 0), (x,))


def test_bfloat16_is_rounded_once() -> None:
    """Not also the sum, the number of utterances and the mean."""
    layout = BatchLayout(torch.tensor([0, 3000]), torch.zeros(3000, dtype=torch.int64))
    x = torch.rand(3000, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    out = speaker_normalize(x, layout)
    assert out.dtype == torch.bfloat16
    expected = speaker_normalize(x.double(), layout)
    torch.testing.assert_close(out.double(), expected, rtol=2**-8, atol=1e-6)


def test_bad_input() -> None:
    ptr, speaker = torch.tensor([0, 3]), torch.tensor([0, 1, 0])
    layout, x = BatchLayout(ptr, speaker), torch.randn(3, 4)
    with pytest.raises(ValueError, match="^speaker must be given to the layout, but got none"):
        speaker_normalize(x, BatchLayout(ptr))
    with pytest.raises(ValueError, match=r"^x must have shape \[U, C\], but got \[3, 1, 4\]"):
        speaker_normalize(x.unsqueeze(1), layout)
    with pytest.raises(ValueError, match=r"^x must have shape \[3, C\], but got \[2, 4\]"):
        speaker_normalize(x[:2], layout)
    with pytest.raises(TypeError, match="^x must be of a floating dtype, but got torch.int64"):
        speaker_normalize(x.long(), layout)
    masked = BatchLayout(ptr, speaker, torch.zeros(3, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="^modality must be given where modalities are absent"):
        speaker_normalize(x, masked)
    with pytest.raises(ValueError, match="^modality must be one of the 2 that present has, but"):
        speaker_normalize(x, masked, 2)
