"""The pairs of utterances within a window, covered by small dense blocks."""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphfusion._utils.tracing import larger, smaller
from graphfusion.data.layout import BatchLayout

# The least number of rows of a block: narrow windows would otherwise make many tiny products.
LEAST_HEIGHT = 16


@dataclass(frozen=True, eq=False)
class Blocks:
    """N blocks of S target utterances by K source utterances.

    Attributes:
        rows: `[N, S]` int64, the utterances of the rows; places without one hold any.
        columns: `[N, K]` int64, likewise.
        joined: `[N, S, K]` bool, whether the row's utterance receives from the column's.
        slot: `[U]` int64, where `rows`, flattened, has each utterance.
    """

    rows: Tensor
    columns: Tensor
    joined: Tensor
    slot: Tensor


torch.export.register_dataclass(Blocks, serialized_type_name="graphfusion.Blocks")


def cover(layout: BatchLayout, past: int | None, future: int | None) -> Blocks:
    """Covers all pairs of utterances within the window by dense blocks.

    A block is one of the layout's by itself or, where that computes less, a run of
    utterances of the packed batch by all within the window of one of them. Neither synchronises
    with the device.
    """
    size, longest = layout.num_utterances, layout.blocks.size(1)
    exported = torch.compiler.is_exporting()  # once, for batches of all sizes
    limited = past is not None or future is not None
    narrow = past is not None and future is not None
    if past is None or not exported:
        past = longest - 1 if past is None else smaller(past, longest - 1)
    if future is None or not exported:
        future = longest - 1 if future is None else smaller(future, longest - 1)
    height = larger(past + future, LEAST_HEIGHT)
    everyone = torch.arange(size, device=layout.ptr.device)
    if not exported:
        narrow = size * (height + past + future) < layout.blocks.numel() * longest
    if narrow:
        if exported:  # with one to spare, for one alone would be a case of its own
            start = torch.arange(size // height + 2, device=everyone.device).unsqueeze(1) * height
        else:
            start = everyone[::height].unsqueeze(1)
        reach = torch.arange(-past, height + future, device=everyone.device)
        columns, slot = start + reach, everyone
        empty = (columns < 0) | (columns >= size)
        columns = columns.clamp(0, size - 1)
        rows = columns[:, past : past + height]
    else:
        rows = columns = layout.blocks
        slot = layout.slot
        places = torch.arange(rows.numel(), device=everyone.device).view(rows.shape)
        empty = slot[rows] != places
    # Places without an utterance belong to no conversation, and to different ones in both.
    conversation = layout.batch[columns]
    of_row, of_column = conversation.masked_fill(empty, -1), conversation.masked_fill(empty, -2)
    if narrow:
        of_row = of_row[:, past : past + height]
    joined = of_row.unsqueeze(2) == of_column.unsqueeze(1)
    if limited:
        offset = columns.unsqueeze(1) - rows.unsqueeze(2)
        joined = joined & (offset >= -past) & (offset <= future)
    return Blocks(rows, columns, joined, slot)


def take(x: Tensor, utterances: Tensor) -> Tensor:
    """Those utterances of `x [U, M, ...]`, `[N, S]` of them, as `[N, M, S, ...]`."""
    taken: Tensor = x.index_select(0, utterances.flatten()).unflatten(0, utterances.shape)
    return taken.transpose(1, 2)


def take_nodes(x: Tensor, nodes: Tensor) -> Tensor:
    """Those nodes `u * M + m` of `x [U, M, ...]`, in the shape of `nodes`."""
    return x.flatten(0, 1).index_select(0, nodes.flatten()).view(*nodes.shape, *x.shape[2:])
