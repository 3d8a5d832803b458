"""Hypothesis strategies: ragged batches of conversations, deliberately with the smallest ones."""

from dataclasses import dataclass, replace

import torch
from hypothesis import strategies as st
from torch import Tensor

from graphfusion import Geometry

NAMES = ("text", "audio", "visual", "batch_index")


@dataclass(frozen=True)
class RaggedBatch:
    """Node vectors `x [U, M, C]` in float64, and where the conversations are."""

    x: Tensor
    ptr: Tensor
    speaker: Tensor
    present: Tensor | None

    @property
    def geometry(self) -> Geometry:
        return Geometry(self.ptr, self.speaker, self.present)

    @property
    def features(self) -> dict[str, Tensor]:
        return dict(zip(NAMES, self.x.unbind(1), strict=False))

    @property
    def here(self) -> Tensor:
        """`present`, or trues."""
        everywhere = torch.ones(self.x.shape[:2], dtype=torch.bool)
        return everywhere if self.present is None else self.present

    def take(self, utterances: Tensor, lengths: list[int]) -> "RaggedBatch":
        """Those utterances, in conversations of those lengths."""
        return RaggedBatch(
            self.x[utterances],
            torch.tensor([0, *lengths]).cumsum(0),
            self.speaker[utterances],
            None if self.present is None else self.present[utterances],
        )

    def conversations(self) -> list["RaggedBatch"]:
        """Each conversation alone."""
        everyone = torch.arange(len(self.x)).split(self.ptr.diff().tolist())
        return [self.take(utterances, [len(utterances)]) for utterances in everyone]

    def with_x(self, x: Tensor) -> "RaggedBatch":
        return replace(self, x=x)


seeds = st.integers(0, 2**32 - 1)


@st.composite
def batches(
    draw: st.DrawFn,
    max_conversations: int = 4,
    max_length: int = 7,
    max_modalities: int = 3,
    channels: int = 5,
    masked: bool | None = None,
    odd_vectors: bool = True,
) -> RaggedBatch:
    """A batch; conversations of one utterance, one modality and one speaker are all common.

    Args:
        masked: Whether there is a mask; None: sometimes. An utterance may lack all modalities.
        odd_vectors: Whether some vectors are zero or equal to others.
    """
    lengths = draw(st.lists(st.integers(1, max_length), min_size=1, max_size=max_conversations))
    num_modalities = draw(st.integers(1, max_modalities))
    num_speakers = draw(st.integers(1, 3))
    generator = torch.Generator().manual_seed(draw(seeds))
    size = sum(lengths)
    x = torch.randn(size, num_modalities, channels, dtype=torch.float64, generator=generator)
    if odd_vectors and draw(st.booleans()):
        kind = torch.randint(0, 4, x.shape[:2], generator=generator)
        x[kind == 0] = 0
        x[kind == 1] = 1
    present = None
    if draw(st.booleans()) if masked is None else masked:
        share = draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
        present = torch.rand(size, num_modalities, generator=generator) < share
    return RaggedBatch(
        x,
        torch.tensor([0, *lengths]).cumsum(0),
        torch.randint(0, num_speakers, (size,), generator=generator),
        present,
    )


windows = st.one_of(st.none(), st.integers(0, 9))
