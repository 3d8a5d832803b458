"""The layout of a padded batch, in operators that can be exported."""

from typing import NamedTuple

import torch
from torch import Tensor

from graphfusion.data.layout import BatchLayout


class PaddedIndices(NamedTuple):
    """Sequences in columns that skip absent items: :class:`PackedIndices` of fixed shape.

    Attributes:
        order: `[L, S]` int64, the item of each step in each column; every item once.
        first: `[L, S]` bool, where a sequence begins.
        present: `[L, S]` bool.
    """

    order: Tensor
    first: Tensor
    present: Tensor


def padded_layout(speaker: Tensor, present: Tensor, modalities: tuple[str, ...]) -> BatchLayout:
    """Builds the layout of B conversations padded to T utterances, padding being absent.

    Args:
        speaker: `[B, T]` int64; anything where an utterance is padding.
        present: `[B, T, M]` bool; false throughout where an utterance is padding.
        modalities: The names of the M columns.
    """
    size, length, columns = present.shape
    utterance = torch.arange(size * length, device=speaker.device).view(size, length)
    start = utterance[:, :1]
    # A speaker's utterances one after the other, in order; the speakers in a column.
    order = (speaker * length + (utterance - start)).argsort(1)
    who, step = speaker.gather(1, order), torch.arange(length, device=speaker.device)
    # No slice without its first: its size, one less, would be another than 1 in what is exported.
    before = who.index_select(1, (step - 1).clamp(min=0))
    begins = (who != before) | (step == 0)
    run = (begins.flatten().long().cumsum(0) - 1).view(size, length)

    layout = BatchLayout.__new__(BatchLayout)
    layout.ptr = torch.arange(size + 1, device=speaker.device) * length
    layout.speaker = speaker.flatten()
    layout.present = present.flatten(0, 1)
    layout.modalities = modalities
    layout.num_modalities = columns
    layout.batch = torch.div(utterance.flatten(), length, rounding_mode="floor")
    layout.blocks, layout.slot = utterance, utterance.flatten()
    layout.is_screened = False
    layout.conversation_sequences = tuple(
        PaddedIndices(  # type: ignore[misc]
            utterance.t(), (utterance == start).t(), present[:, :, m].t()
        )
        for m in range(columns)
    )
    layout.speaker_id = torch.zeros_like(run).scatter(1, order, run).flatten()
    nodes = (start + order).t().unsqueeze(2) * columns + torch.arange(
        columns, device=speaker.device
    )
    here = present.gather(1, order.unsqueeze(2).expand(-1, -1, columns)).transpose(0, 1)
    layout.speaker_sequences = PaddedIndices(  # type: ignore[assignment]
        nodes.flatten(1),
        begins.t().unsqueeze(2).expand(-1, -1, columns).flatten(1),
        here.flatten(1),
    )
    return layout
