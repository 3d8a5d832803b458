"""What stands in for absent modalities before the classifier: the same one, of turns nearby."""

import torch
from torch import Tensor

from graphfusion.data.layout import BatchLayout
from graphfusion.graph.blocks import take, tile

FADING = 3  # utterances, in which what was said becomes e times less telling


def impute(x: Tensor, layout: BatchLayout, past: int | None, future: int | None) -> Tensor:
    """Puts in place of an absent node the mean of its modality's present ones in reach.

    It is weighted by exp(-distance / 3), in utterances, and zero where none is in reach. Present
    nodes stay as they are.

    Args:
        x: `[U, M, C]`; what lies in absent places may be anything.
        layout: The batch's layout; without a mask, nothing is absent.
        past: How many preceding utterances are in reach; None: all.
        future: How many following utterances are in reach; None: all.
    """
    present = layout.present
    if present is None:
        return x
    x = x.where(present.unsqueeze(2), 0)
    rows, columns, joined, slot = tile(layout, past, future)
    heard = joined.unsqueeze(1) & take(present, columns).unsqueeze(2)
    distance = (rows.unsqueeze(2) - columns.unsqueeze(1)).abs().unsqueeze(1)
    mean = weigh(distance, heard, x.dtype) @ take(x, columns)
    mean = mean.transpose(1, 2).flatten(0, 1).index_select(0, slot)
    return x.where(present.unsqueeze(2), mean)


def weigh(distance: Tensor, heard: Tensor, dtype: torch.dtype) -> Tensor:
    """Weights of the last axis that fade with the distance and add up to 1; 0 if none is heard."""
    fade = -distance.to(torch.promote_types(dtype, torch.float32)) / FADING
    # Relative to the nearest one, so that none is too far.
    weight = fade.masked_fill(~heard, -torch.inf).softmax(-1)
    return weight.where(heard, 0).to(dtype)
