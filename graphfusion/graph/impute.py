"""Imputation of absent nodes from present ones of the same modality."""

import torch
from torch import Tensor

from graphfusion.graph.blocks import Blocks, take

DECAY = 3  # utterances, in which a weight falls by a factor of e


def impute(x: Tensor, present: Tensor, blocks: Blocks) -> Tensor:
    """Imputes masked nodes with the mean of present nodes of their modality within the window.

    Weighted by exp(-|t - s| / 3); zero where there is none. Gradients flow through the mean.

    Args:
        x: `[U, M, C]`, all finite.
        present: `[U, M]` bool.
        blocks: The pairs of utterances within the window.
    """
    rows, columns = blocks.rows, blocks.columns
    mask = blocks.joined.unsqueeze(1) & take(present, columns).unsqueeze(2)
    distance = (rows.unsqueeze(2) - columns.unsqueeze(1)).abs().unsqueeze(1)
    mean = decay(distance, mask, x.dtype) @ take(x, columns)
    mean = mean.transpose(1, 2).flatten(0, 1).index_select(0, blocks.slot)
    return x.where(present.unsqueeze(2), mean)


def decay(distance: Tensor, mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Weights that fall with the distance and sum to 1 over the last axis; 0 outside the mask."""
    exponent = -distance.to(torch.promote_types(dtype, torch.float32)) / DECAY
    # Relative to the nearest one, so that none is too far.
    weight = exponent.masked_fill(~mask, -torch.inf).softmax(-1)
    return weight.where(mask, 0).to(dtype)
