"""Lazy sequences of the conversations in an open file, one per split."""

from collections.abc import Sequence

from torch import Tensor

from graphfusion.data.conversation import Conversation
from graphfusion.datasets._lazy import LazyConversations
from graphfusion.datasets.readers._contents import RawConversation
from graphfusion.datasets.storage.store import Store


class FileSplit(LazyConversations):
    """A lazy sequence of the conversations of one split in an open file.

    Args:
        store: The open file.
        start: The index of the split's first conversation in the file.
        size: The number of conversations.
    """

    def __init__(self, store: Store, start: int, size: int) -> None:
        self.store = store
        self._places = range(start, start + size)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def ids(self) -> list[str]:
        """The id of each conversation."""
        return self.store.ids[self._places.start : self._places.stop]

    @property
    def in_channels(self) -> dict[str, int]:
        """The size of each modality's feature vectors."""
        return self.store.in_channels

    def labels(self) -> list[Tensor]:
        """Returns the labels `[U]` or `[U, K]` of each conversation."""
        return self.store.labels()[self._places.start : self._places.stop]

    def checksums(self) -> list[str] | None:
        """Returns the checksum of each conversation, or None if they are unknown."""
        known = self.store.checksums()
        return known and known[self._places.start : self._places.stop]

    def raw(self, place: int) -> RawConversation:
        """Reads a conversation without validating its values.

        Raises:
            FormatError: If its checksum differs.
        """
        return self.store.raw(self._places[place])

    def _get_all(self, places: Sequence[int]) -> list[Conversation]:
        return self.store.batch([self._places[place] for place in places])

    def _get(self, place: int) -> Conversation:
        return self.store.conversation(self._places[place])


def open_splits(store: Store) -> dict[str, FileSplit]:
    """Returns the splits of an open file as lazy sequences."""
    splits, start = {}, 0
    for split, ids in store.header["splits"].items():
        splits[split] = FileSplit(store, start, len(ids))
        start += len(ids)
    return splits
