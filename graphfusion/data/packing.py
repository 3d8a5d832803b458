"""Index structures of a packed batch: sequences of unequal length, and conversations in blocks."""

from bisect import bisect_left, insort
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class PackedIndices(NamedTuple):
    """Sequences of unequal length in the order of :class:`torch.nn.utils.rnn.PackedSequence`.

    Attributes:
        order: `[n]` int64, the items: all first steps, then all second steps, and so on, those of
            the longest sequence first.
        batch_sizes: `[longest]` int64 on the host, how many sequences have that many steps.
        places: `[2, n]` int64, where S sequences padded to the longest, `[longest, S]` flattened,
            have each item in that order: first as they are, then each read from its end.
    """

    order: Tensor
    batch_sizes: Tensor
    places: Tensor


def pack_sequences(group: Tensor, present: Tensor) -> PackedIndices:
    """Packs the items of each group, in order, as sequences; absent items are left out.

    Args:
        group: `[n]` int64, the sequence that each item belongs to.
        present: `[n]` bool.
    """
    items = present.nonzero().squeeze(1)
    _, group, length = group[items].unique(return_inverse=True, return_counts=True)
    by_group = group.argsort(stable=True)
    start = length.cumsum(0) - length
    step = torch.empty_like(items)
    step[by_group] = torch.arange(len(items), device=items.device) - start[group[by_group]]
    longest_first = torch.empty_like(length)
    longest_first[length.argsort(descending=True, stable=True)] = torch.arange(
        len(length), device=length.device
    )
    count, column = len(length), longest_first[group]
    places, order = (step * count + column).sort()
    from_end = ((length[group] - 1 - step) * count + column)[order]
    return PackedIndices(items[order], step.bincount(), torch.stack([places, from_end]))


def move_sequences(sequences: PackedIndices, function: Callable[[Tensor], Tensor]) -> PackedIndices:
    """Applies a function to what may be on a device; PackedSequence wants its sizes on the host."""
    order, places = function(sequences.order), function(sequences.places)
    return sequences._replace(order=order, places=places)


def pack_blocks(ptr: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Packs whole conversations into blocks of the length of the longest one.

    The longest first, each into the fullest block that it fits into.

    Args:
        ptr: `[B + 1]` int64.
        batch: `[U]` int64, the conversation of each utterance.

    Returns:
        `blocks [N, T]` int64, the utterances in each block, and `slot [U]` int64, where `blocks`,
        flattened, has each utterance. Places that are left over hold any utterance.
    """
    lengths = ptr.diff()
    longest = int(lengths.max())
    first = torch.empty_like(lengths)
    space: list[tuple[int, int]] = []  # of each block, sorted
    for length, conversation in zip(
        *(each.tolist() for each in lengths.sort(descending=True)), strict=True
    ):
        fullest = bisect_left(space, (length, 0))
        left, block = space.pop(fullest) if fullest < len(space) else (longest, len(space))
        first[conversation] = (block + 1) * longest - left
        insort(space, (left - length, block))
    slot = torch.arange(len(batch), device=batch.device) + (first - ptr[:-1])[batch]
    blocks = batch.new_zeros(len(space) * longest)
    blocks[slot] = torch.arange(len(batch), device=batch.device)
    return blocks.view(-1, longest), slot
