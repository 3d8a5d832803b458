"""Selects, reorders and concatenates the modalities of conversations."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from graphfusion.data.conversation import Conversation, trusted_conversation
from graphfusion.datasets._lazy import LazyConversations, channels_of, get_all, ids_of, labels_of


def groups_of(modalities: Sequence[str], known: Collection[str]) -> list[list[str]]:
    """Splits each entry, such as "audio+visual", into the names of its modalities.

    Raises:
        ValueError: If a name is unknown or occurs twice, or `modalities` is empty.
        TypeError: If `modalities` is one string.
    """
    if isinstance(modalities, str):
        raise TypeError(f"modalities must be a sequence of names, but got {modalities!r}.")
    groups = [entry.split("+") for entry in modalities]
    counts = Counter(name for group in groups for name in group)
    wrong = [name for name, n in counts.items() if n > 1 or name not in known]
    if wrong or not groups:
        raise ValueError(
            f"modalities must be among {list(known)}, each at most once, but got {wrong}."
        )
    return groups


def select(
    conversations: Sequence[Conversation], groups: Sequence[Sequence[str]]
) -> Sequence[Conversation]:
    """Selects the modalities of conversations: a list for a list, otherwise a lazy sequence.

    Args:
        conversations: The conversations.
        groups: The modalities to concatenate into one, which takes the first one's name.
    """
    if isinstance(conversations, list | tuple):
        return [_select(each, groups, Conversation) for each in conversations]
    return _Selected(conversations, groups)


class _Selected(LazyConversations):
    def __init__(self, source: Sequence[Conversation], groups: Sequence[Sequence[str]]) -> None:
        self._source = source
        self._groups = groups

    def __len__(self) -> int:
        return len(self._source)

    @property
    def ids(self) -> list[str]:
        return ids_of(self._source)

    @property
    def in_channels(self) -> dict[str, int]:
        sizes = channels_of(self._source)
        return {group[0]: sum(sizes[name] for name in group) for group in self._groups}

    def labels(self) -> list[Tensor]:
        return labels_of(self._source)

    def _get_all(self, places: Sequence[int]) -> list[Conversation]:
        return [
            _select(each, self._groups, trusted_conversation)
            for each in get_all(self._source, places)
        ]

    def _get(self, place: int) -> Conversation:
        return _select(self._source[place], self._groups, trusted_conversation)


def _select(
    conversation: Conversation,
    groups: Sequence[Sequence[str]],
    make: Callable[..., Conversation],
) -> Conversation:
    features, present = dict(conversation.features), dict(conversation.present)
    for first, *others in groups:
        if others:  # else nothing is copied
            features[first] = torch.cat([features[name] for name in (first, *others)], 1)
            present[first] = torch.stack([present[name] for name in (first, *others)], 1).all(1)
    chosen = [group[0] for group in groups]
    return make(
        {name: features[name] for name in chosen},
        conversation.speaker,
        conversation.y,
        {name: present[name] for name in chosen},
        id=conversation.id,
        **({"score": conversation.score} if "score" in conversation else {}),
    )
