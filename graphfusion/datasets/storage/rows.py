"""Reads the rows of a file's tensors, for one conversation or for a batch."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from graphfusion.datasets.storage.safetensors import Column
from graphfusion.datasets.storage.source import Source


class Rows:
    """Reads the rows of conversations from a file's tensors.

    Args:
        source: The file.
        columns: The tensors with one row per utterance.
        modalities: The names of the modalities.
        ptr: `[B + 1]`, the offsets of the conversations.
    """

    def __init__(
        self,
        source: Source,
        columns: Mapping[str, Column],
        modalities: Iterable[str],
        ptr: Sequence[int],
    ) -> None:
        self.sizes = [end - start for start, end in pairwise(ptr)]
        self._source = source
        self._ptr = ptr
        self._names = {name: f"features.{name}" for name in modalities}
        # Computed once, since it takes longer than reading a conversation.
        self._columns = [
            (name, each.dtype, each.shape[1:], each.offset, each.row_bytes)
            for name, each in columns.items()
        ]

    def read(self, places: Sequence[int]) -> list[dict[str, Tensor]]:
        """Reads the tensors of the given conversations, by name.

        Tensors of a single conversation own their memory. Those of several are views of tensors
        that the batch shares.

        Raises:
            FormatError: If the file has changed.
        """
        self._source.check()
        sizes = [self.sizes[place] for place in places]
        total = sum(sizes)
        found: list[dict[str, Tensor]] = [{} for _ in places]
        for name, dtype, shape, offset, width in self._columns:
            pieces = [
                (offset + self._ptr[place] * width, size * width)
                for place, size in zip(places, sizes, strict=True)
            ]
            whole = to_rows(self._source.read(pieces), dtype, (total, *shape))
            parts = whole.split(sizes) if len(sizes) > 1 else (whole,)
            for each, part in zip(found, parts, strict=True):
                each[name] = part
        return found

    def features(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Selects the features among a conversation's tensors, by modality."""
        return {name: tensors[field] for name, field in self._names.items()}

    def masks(self, found: Sequence[Mapping[str, Tensor]]) -> list[dict[str, Tensor]]:
        """Returns the presence masks of each conversation, by modality."""
        if "present" not in found[0]:
            sizes = [len(each["y"]) for each in found]
            whole = [torch.ones(sum(sizes), dtype=torch.bool).split(sizes) for _ in self._names]
            return [dict(zip(self._names, each, strict=True)) for each in zip(*whole, strict=True)]
        # Cloned, so that keeping or pickling one mask does not keep the others.
        return [
            {name: each["present"][:, m].clone() for m, name in enumerate(self._names)}
            for each in found
        ]


def read_whole(source: Source, column: Column) -> Tensor:
    """Reads a whole tensor."""
    source.check()
    return to_rows(source.read([(column.offset, column.nbytes)]), column.dtype, column.shape)


def to_rows(data: bytearray, dtype: torch.dtype, shape: Sequence[int]) -> Tensor:
    """Creates a tensor that shares the memory of `data`; for bool, any nonzero byte is True."""
    if dtype == torch.bool:
        return (torch.frombuffer(data, dtype=torch.uint8) != 0).view(shape)
    values = torch.frombuffer(data, dtype=dtype)
    return values if len(shape) == 1 else values.view(shape)
