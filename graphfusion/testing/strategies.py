"""Hypothesis strategies: ragged batches of conversations, deliberately with the smallest ones.

They need hypothesis, which graphfusion's extra "testing" brings.
"""

import torch

from graphfusion._utils.extras import require
from graphfusion.testing.batches import NAMES, RaggedBatch

require("testing", "draw batches")

from hypothesis import strategies as st  # noqa: E402  what is missing is said first

__all__ = ["NAMES", "RaggedBatch", "batches", "seeds", "windows"]

#: Seeds of random generators.
seeds = st.integers(0, 2**32 - 1)
#: How far a window reaches; None: everywhere.
windows = st.one_of(st.none(), st.integers(0, 9))


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
    """A batch in float64; conversations of one utterance, one modality and one speaker are common.

    Args:
        draw: Hypothesis's.
        max_conversations: The most conversations.
        max_length: The most utterances of one.
        max_modalities: The most modalities, at most four.
        channels: Size C of a vector.
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
