"""Hypothesis strategies for batches of conversations and for small models.

They need Hypothesis, which graphfusion's extra "testing" installs.
"""

from typing import Any

import torch

from graphfusion._utils.extras import require
from graphfusion.models.mmdfn import MMDFN
from graphfusion.testing.batches import NAMES, RaggedBatch, names_of

require("testing", "draw batches")

from hypothesis import strategies as st  # noqa: E402  after the check that it is installed

__all__ = ["NAMES", "RaggedBatch", "batches", "models", "seeds", "windows"]

#: Seeds of random generators.
seeds = st.integers(0, 2**32 - 1)
#: Window sizes in utterances, or None for no limit.
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
    """Draws a batch in float64, often with a single utterance, modality or speaker.

    Args:
        draw: Provided by Hypothesis.
        max_conversations: Maximum number of conversations.
        max_length: Maximum number of utterances of a conversation.
        max_modalities: Maximum number of modalities.
        channels: Size C of the node features.
        masked: Whether to draw a mask; None: drawn, too. An utterance may lack all modalities.
        odd_vectors: Whether some vectors may be zero or equal to others.
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


@st.composite
def models(draw: st.DrawFn, /, num_modalities: int, in_channels: int = 5, **options: Any) -> MMDFN:
    """Draws a small MM-DFN with random options, in float64 and evaluation mode.

    Args:
        draw: Provided by Hypothesis.
        num_modalities: Number of modalities, as in the batch; with the names that it has.
        in_channels: Size of each modality's features.
        **options: Fixed arguments of :class:`~graphfusion.MMDFN`; the others are drawn.
    """
    names = names_of(num_modalities)
    some = st.lists(st.sampled_from(names), unique=True)
    causal = options.get("causal")
    if causal is None:
        # A causal model has no edges from later utterances.
        ahead = options.get("future") or options.get("speaker_normalized")
        causal = not ahead and draw(st.booleans())
    weights = st.fixed_dictionaries(dict.fromkeys(names, st.sampled_from([0.0, 1.0, 3.0])))
    drawn: dict[str, st.SearchStrategy[Any]] = {
        "num_classes": st.integers(2, 6),
        "speaker_weights": weights,
        "context": some,
        "speaker_normalized": st.just([]) if causal else some,
        "utterance_channels": st.sampled_from([None, 4]),
        "channels": st.sampled_from([2, 8]),
        "hidden_channels": st.integers(4, 8),
        "num_layers": st.sampled_from([1, 2, 16]),
        "alpha": st.sampled_from([0.0, 0.2, 1.0]),
        "theta": st.sampled_from([0.0, 0.5, 2.0]),
        "dropout": st.sampled_from([0.0, 0.4]),
        "past": windows,
        "future": st.none() if causal else windows,
        "cross_weight": st.sampled_from([0.0, 0.7, 1.0]),
        "gated": st.booleans(),
        "concat": st.booleans(),
        "checkpoint": st.booleans(),
        "causal": st.just(causal),
    }
    arguments = options | {
        name: draw(values) for name, values in drawn.items() if name not in options
    }
    torch.manual_seed(draw(seeds))
    return MMDFN(dict.fromkeys(names, in_channels), **arguments).double().eval()
