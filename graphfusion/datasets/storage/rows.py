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

    def read(self, places: Sequence[int]) -> dict[str, Tensor]:
        """Reads the tensors of the given conversations, one after the other, by name.

        Raises:
            FormatError: If the file has changed.
        """
        self._source.check()
        ranges = [(self._ptr[place], self.sizes[place]) for place in places]
        total = sum(size for _, size in ranges)
        found = {}
        for name, dtype, shape, offset, width in self._columns:
            pieces = [(offset + start * width, size * width) for start, size in ranges]
            found[name] = to_rows(self._source.read(pieces), dtype, (total, *shape))
        return found

    def features(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Selects the features among tensors, by modality."""
        return {name: tensors[field] for name, field in self._names.items()}

    def masks(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the presence masks among tensors, by modality."""
        if (present := tensors.get("present")) is None:
            size = len(tensors["y"])
            return {name: torch.ones(size, dtype=torch.bool) for name in self._names}
        # Copied, so that keeping or pickling one mask does not keep the others.
        return {name: present[:, m].clone() for m, name in enumerate(self._names)}


def read_whole(source: Source, column: Column) -> Tensor:
    """Reads a whole tensor."""
    source.check()
    return to_rows(source.read([(column.offset, column.nbytes)]), column.dtype, column.shape)


def to_rows(data: Tensor, dtype: torch.dtype, shape: Sequence[int]) -> Tensor:
    """Views bytes `[n]` as a tensor of another dtype; for bool, any nonzero byte is True."""
    return (data != 0 if dtype == torch.bool else data.view(dtype)).view(shape)
