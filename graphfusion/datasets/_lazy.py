"""Lazy sequences of conversations, which are loaded on access."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import overload

from torch import Tensor

from graphfusion.data.conversation import Conversation


class LazyConversations(Sequence[Conversation]):
    """A sequence of conversations loaded on access; ids, labels and sizes need no features."""

    @property
    @abstractmethod
    def ids(self) -> list[str]:
        """The id of each conversation."""

    @property
    @abstractmethod
    def in_channels(self) -> dict[str, int]:
        """The size of each modality's feature vectors."""

    @abstractmethod
    def labels(self) -> list[Tensor]:
        """Returns the labels `[U]` or `[U, K]` of each conversation."""

    def checksums(self) -> list[str] | None:
        """Returns the checksum of each conversation, or None if they are unknown."""
        return None

    @abstractmethod
    def _get(self, place: int) -> Conversation:
        """Loads the conversation at a non-negative index."""

    @overload
    def __getitem__(self, place: int) -> Conversation: ...

    @overload
    def __getitem__(self, place: slice) -> "LazySubset": ...

    def __getitem__(self, place: int | slice) -> "Conversation | LazySubset":
        size = len(self)
        if isinstance(place, slice):
            return LazySubset([(self, each) for each in range(*place.indices(size))])
        if not -size <= place < size:
            raise IndexError(f"index must be in [-{size}, {size}), but got {place}.")
        return self._get(place % size)

    def __getitems__(self, places: Sequence[int]) -> list[Conversation]:
        """Loads a batch for PyTorch's data loaders; its conversations may share memory."""
        return self._get_all(places)

    @abstractmethod
    def _get_all(self, places: Sequence[int]) -> list[Conversation]:
        """Loads the conversations at non-negative indices."""


class LazySubset(LazyConversations):
    """A subset of the conversations of other sequences, in any order.

    Args:
        members: The source sequence and the index in it, for each conversation.
    """

    def __init__(self, members: Sequence[tuple[Sequence[Conversation], int]]) -> None:
        numbers: dict[int, int] = {}
        self._sources: list[Sequence[Conversation]] = []
        self._where: list[tuple[int, int]] = []
        for source, place in members:
            number = numbers.setdefault(id(source), len(numbers))
            if number == len(self._sources):
                self._sources.append(source)
            self._where.append((number, place))

    def __len__(self) -> int:
        return len(self._where)

    @property
    def ids(self) -> list[str]:
        known = [ids_of(source) for source in self._sources]
        return [known[number][place] for number, place in self._where]

    @property
    def in_channels(self) -> dict[str, int]:
        return channels_of(self._sources[0]) if self._sources else {}

    def labels(self) -> list[Tensor]:
        known = [labels_of(source) for source in self._sources]
        return [known[number][place] for number, place in self._where]

    def checksums(self) -> list[str] | None:
        known = [
            each.checksums() if isinstance(each, LazyConversations) else None
            for each in self._sources
        ]
        found: list[str] = []
        for number, place in self._where:
            if (of_source := known[number]) is None:
                return None
            found.append(of_source[place])
        return found

    def _get(self, place: int) -> Conversation:
        number, place = self._where[place]
        return self._sources[number][place]

    def _get_all(self, places: Sequence[int]) -> list[Conversation]:
        found: dict[int, Conversation] = {}
        for number, source in enumerate(self._sources):
            mine = [place for place in places if self._where[place][0] == number]
            there = get_all(source, [self._where[place][1] for place in mine])
            found |= dict(zip(mine, there, strict=True))
        return [found[place] for place in places]


def regroup(
    splits: Mapping[str, Sequence[Conversation]], wanted: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[Conversation]]:
    """Redistributes conversations to other splits: lists if all sources are lists, else lazily.

    Args:
        splits: The conversations in their present splits.
        wanted: The ids of each new split.

    Raises:
        TypeError: If `wanted` is not a mapping of names to sequences of ids.
        ValueError: If an id is unknown or occurs twice.
    """
    if not isinstance(wanted, Mapping) or any(isinstance(ids, str) for ids in wanted.values()):
        raise TypeError(f"splits must map names to sequences of ids, but got {wanted!r:.200}.")
    chosen = {split: list(ids) for split, ids in wanted.items()}
    places = {
        name: (each, place) for each in splits.values() for place, name in enumerate(ids_of(each))
    }
    counts = Counter(name for ids in chosen.values() for name in ids)
    if unknown := [name for name in counts if name not in places]:
        raise ValueError(f"splits must name conversations of the corpus, but got {unknown!r:.200}.")
    if twice := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"splits must name each conversation once, but got {twice!r:.200} twice.")
    if all(isinstance(each, list | tuple) for each in splits.values()):
        found = {name: each[place] for name, (each, place) in places.items()}
        return {split: [found[name] for name in ids] for split, ids in chosen.items()}
    return {split: LazySubset([places[name] for name in ids]) for split, ids in chosen.items()}


def ids_of(conversations: Sequence[Conversation]) -> list[str]:
    """Returns the id of each conversation."""
    if isinstance(conversations, LazyConversations):
        return conversations.ids
    return [each.id for each in conversations]


def labels_of(conversations: Sequence[Conversation]) -> list[Tensor]:
    """Returns the labels of each conversation."""
    if isinstance(conversations, LazyConversations):
        return conversations.labels()
    return [each.y for each in conversations]


def first_labels(conversations: Sequence[Conversation]) -> Tensor:
    """Returns the labels of the first conversation, without reading features from a file."""
    if isinstance(conversations, LazyConversations):
        return conversations.labels()[0]
    return conversations[0].y


def channels_of(conversations: Sequence[Conversation]) -> dict[str, int]:
    """Returns the size of each modality's feature vectors; needs at least one conversation."""
    if isinstance(conversations, LazyConversations):
        return conversations.in_channels
    return {name: value.size(1) for name, value in conversations[0].features.items()}


def get_all(conversations: Sequence[Conversation], places: Sequence[int]) -> list[Conversation]:
    """Returns the conversations at the given non-negative indices."""
    if isinstance(conversations, LazyConversations):
        return conversations._get_all(places)
    return [conversations[place] for place in places]
