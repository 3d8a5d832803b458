"""The conversations of a file that is open."""

from collections.abc import Sequence

from torch import Tensor

from graphfusion.data.conversation import Conversation
from graphfusion.datasets._lazy import Lazy
from graphfusion.datasets.readers._contents import RawConversation
from graphfusion.datasets.storage.store import Store


class Opened(Lazy):
    """The conversations of a split in an open file.

    Args:
        store: The file.
        start: Where in it the split starts.
        size: How many conversations it has.
    """

    def __init__(self, store: Store, start: int, size: int) -> None:
        self.store = store
        self._places = range(start, start + size)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return self.store.ids[self._places.start : self._places.stop]

    @property
    def in_channels(self) -> dict[str, int]:
        """The size of each modality's feature vectors."""
        return self.store.in_channels

    def labels(self) -> list[Tensor]:
        """The labels `[U]` or `[U, K]` of each."""
        return self.store.labels()[self._places.start : self._places.stop]

    def checksums(self) -> list[str] | None:
        """The checksum of each; None: these are not known."""
        known = self.store.checksums()
        return known and known[self._places.start : self._places.stop]

    def raw(self, place: int) -> RawConversation:
        """A conversation as it stands in the file, its values not yet checked.

        Raises:
            FormatError: If it is not as it was written.
        """
        return self.store.raw(self._places[place])

    def _get_all(self, places: Sequence[int]) -> list[Conversation]:
        return self.store.batch([self._places[place] for place in places])

    def _get(self, place: int) -> Conversation:
        return self.store.conversation(self._places[place])


def open_splits(store: Store) -> dict[str, Opened]:
    """The splits of an open file."""
    splits, start = {}, 0
    for split, ids in store.header["splits"].items():
        splits[split] = Opened(store, start, len(ids))
        start += len(ids)
    return splits
