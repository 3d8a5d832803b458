"""Sequences of conversations that are made on access."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import overload

from torch import Tensor

from graphfusion.data.conversation import Conversation


class Lazy(Sequence[Conversation]):
    """Conversations that are made on access, and of which some things are known."""

    @property
    @abstractmethod
    def ids(self) -> list[str]:
        """Their ids."""

    @property
    @abstractmethod
    def in_channels(self) -> dict[str, int]:
        """The size of each modality's feature vectors."""

    @abstractmethod
    def labels(self) -> list[Tensor]:
        """The labels `[U]` or `[U, K]` of each."""

    def checksums(self) -> list[str] | None:
        """The checksum of each; None: these are not known."""
        return None

    @abstractmethod
    def _get(self, place: int) -> Conversation:
        """The conversation at a place from 0 on."""

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, place: int) -> Conversation: ...

    @overload
    def __getitem__(self, place: slice) -> "Picked": ...

    def __getitem__(self, place: int | slice) -> "Conversation | Picked":
        size = len(self)
        if isinstance(place, slice):
            return Picked([(self, each) for each in range(*place.indices(size))])
        if not -size <= place < size:
            raise IndexError(f"place must be in [-{size}, {size}), but got {place}.")
        return self._get(place % size)

    def __getitems__(self, places: Sequence[int]) -> list[Conversation]:
        """Those of a batch, as PyTorch's loaders ask for them; they are not to be kept."""
        return self._get_all(places)

    def _get_all(self, places: Sequence[int]) -> list[Conversation]:
        """Those at some places from 0 on."""
        return [self._get(place) for place in places]


class Picked(Lazy):
    """Some conversations of other sequences, in an order of their own.

    Args:
        members: A sequence and the place in it of each.
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
        known = [each.checksums() if isinstance(each, Lazy) else None for each in self._sources]
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
    """The conversations of some splits in others, which are lists if those are.

    Args:
        splits: The conversations.
        wanted: The ids of each split.

    Raises:
        TypeError: If `wanted` is no mapping of names to sequences of ids.
        ValueError: If an id is unknown or comes twice.
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
    return {split: Picked([places[name] for name in ids]) for split, ids in chosen.items()}


def ids_of(conversations: Sequence[Conversation]) -> list[str]:
    """The ids of conversations."""
    if isinstance(conversations, Lazy):
        return conversations.ids
    return [each.id for each in conversations]


def labels_of(conversations: Sequence[Conversation]) -> list[Tensor]:
    """The labels of conversations."""
    if isinstance(conversations, Lazy):
        return conversations.labels()
    return [each.y for each in conversations]


def first_labels(conversations: Sequence[Conversation]) -> Tensor:
    """The labels of the first of them, at least one; of those in a file, no features are read."""
    if isinstance(conversations, Lazy):
        return conversations.labels()[0]
    return conversations[0].y


def channels_of(conversations: Sequence[Conversation]) -> dict[str, int]:
    """The size of each modality's feature vectors, of one conversation at least."""
    if isinstance(conversations, Lazy):
        return conversations.in_channels
    return {name: value.size(1) for name, value in conversations[0].features.items()}


def get_all(conversations: Sequence[Conversation], places: Sequence[int]) -> list[Conversation]:
    """The conversations at some places from 0 on."""
    if isinstance(conversations, Lazy):
        return conversations._get_all(places)
    return [conversations[place] for place in places]
