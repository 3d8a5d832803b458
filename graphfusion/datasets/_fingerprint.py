"""The fingerprint of a corpus: a checksum of its content, in memory or in a file."""

from collections.abc import Mapping, Sequence

from graphfusion.data.conversation import Conversation
from graphfusion.datasets._lazy import LazyConversations, channels_of
from graphfusion.datasets.storage.checksums import conversation_checksum, fingerprint
from graphfusion.datasets.storage.tensors import to_tensors


def corpus_fingerprint(classes: Sequence[str], splits: Mapping[str, Sequence[Conversation]]) -> str:
    """Computes the checksum of all names, labels, features and their order, in hexadecimal."""
    names = list(channels_of(splits["train"]))
    first = to_tensors(splits["train"][0], names)
    columns = {name: (str(each.dtype), list(each.shape[1:])) for name, each in first.items()}
    columns.pop("present", None)  # may be missing in one conversation and not in others
    parts = {split: _index_entries(each, names) for split, each in splits.items()}
    return fingerprint(classes, names, columns, parts)


def _index_entries(
    conversations: Sequence[Conversation], modalities: Sequence[str]
) -> list[tuple[str, int, str]]:
    """Returns the id, the number of utterances and the checksum of each conversation."""
    if (
        isinstance(conversations, LazyConversations)
        and (known := conversations.checksums()) is not None
    ):
        sizes = map(len, conversations.labels())
        return list(zip(conversations.ids, sizes, known, strict=True))
    return [
        (each.id, len(each.y), conversation_checksum(each.id, to_tensors(each, modalities)))
        for each in conversations
    ]
