"""Checksums of a corpus: one of its index, and one of each conversation.

A conversation's is that of what it holds alone, so it is the same in memory, in a file, and among
other conversations.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Any

import torch
from torch import Tensor

from graphfusion.datasets.checks.problems import Problem
from graphfusion.datasets.readers._reading import FormatError

KEY = "checksums"
_ALGORITHM = "sha256"  # most processors compute it, twice as fast as others
_DAMAGED = "the file's index must be as it was written, but is damaged."
_BYTES = 8  # that damage goes unnoticed is as likely as 1 in 2^64


def conversation_checksum(name: str, tensors: Mapping[str, Tensor]) -> str:
    """The checksum of a conversation.

    Args:
        name: Its id.
        tensors: What it holds, by the names of the format; `present`, where all is present, counts
            as left out.
    """
    digest = sha256(_text(name))
    for field, values in sorted(tensors.items()):
        if field != "present" or not bool(values.all()):
            digest.update(to_bytes(values))
    return digest.hexdigest()[: 2 * _BYTES]


def fingerprint(
    classes: Sequence[str],
    modalities: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    splits: Mapping[str, Iterable[tuple[str, int, str]]],
) -> str:
    """The checksum of all that a corpus holds.

    Args:
        classes: Its classes.
        modalities: Its modalities, in their order.
        columns: What each of its tensors is.
        splits: `{split: (id, number of utterances, checksum)}` of each conversation.
    """
    digest = sha256(json.dumps([classes, modalities, sorted(columns.items())]).encode())
    for split, conversations in splits.items():
        digest.update(json.dumps([split, list(conversations)]).encode())
    return digest.hexdigest()[: 4 * _BYTES]


class IndexDigest:
    """The checksum of an index, whose labels come one conversation after the other.

    Args:
        ptr: Where the conversations are.
    """

    def __init__(self, ptr: Tensor) -> None:
        self._digest = sha256(to_bytes(ptr))

    def add(self, y: Tensor) -> None:
        """Adds labels: they are part of the index, since they are read without the rest."""
        self._digest.update(to_bytes(y))

    def finish(self, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
        """The checksum, of what the file says of itself and of its tensors, besides."""
        self._digest.update(_layout(header, tensors))
        return self._digest.hexdigest()[: 2 * _BYTES]


def with_checksums(
    header: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    conversations: Sequence[str],
    digest: IndexDigest,
) -> dict[str, Any]:
    """The header of a corpus file, with the checksums of all that is in it.

    Args:
        header: What the file says of itself.
        tensors: What it holds, or tensors like it.
        conversations: The checksum of each.
        digest: With all labels.
    """
    found = {"algorithm": _ALGORITHM, "conversations": conversations}
    return {**header, KEY: {"index": digest.finish({**header, KEY: found}, tensors), **found}}


class Checksums:
    """What a file has in the way of checksums, its index being right.

    Args:
        header: What the file says of itself.
        tensors: What it holds, or tensors like it; of `ptr` and `y` the values count.

    Raises:
        FormatError: If the index has changed since the file was written. Nothing is known about
            the conversations, then.
    """

    def __init__(self, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self.early = False
        self.conversations: list[str] | None = None
        if (found := header.get(KEY)) is not None:
            if problem := self._problem(found, header, tensors):
                raise FormatError.of([Problem(None, KEY, problem)])
            self.early = "algorithm" not in found
            self.conversations = found["conversations"]

    def check(self, place: int, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Checks that a conversation is as it was written.

        Raises:
            FormatError: If it is not.
        """
        checksum = _early_conversation if self.early else conversation_checksum
        if self.conversations and self.conversations[place] != checksum(name, tensors):
            message = "its data must be as they were written, but are damaged."
            raise FormatError.of([Problem(name, KEY, message)])

    def _problem(
        self, found: object, header: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> str | None:
        size = sum(map(len, header["splits"].values()))
        given = found.get("conversations") if isinstance(found, dict) else None
        if not isinstance(found, dict) or not isinstance(given, list) or len(given) != size:
            return f"{KEY} must be of the index and {size} conversations."
        if found.get("algorithm") not in (None, _ALGORITHM):
            return f"{KEY} must be of {_ALGORITHM}, but got {found['algorithm']!r:.80}."
        rest = {**header, KEY: {key: value for key, value in found.items() if key != "index"}}
        if "algorithm" in found:
            digest = IndexDigest(tensors["ptr"])
            digest.add(tensors["y"])
            index = digest.finish(rest, tensors)
        else:
            early = blake2b(_layout(rest, tensors), digest_size=_BYTES)
            early.update(to_bytes(tensors["ptr"]))
            index = early.hexdigest()
        return None if found.get("index") == index else _DAMAGED


def _early_conversation(name: str, tensors: Mapping[str, Tensor]) -> str:
    """As the first files have it."""
    digest = blake2b(_text(name), digest_size=_BYTES)
    for _, values in sorted(tensors.items()):
        digest.update(to_bytes(values))
    return digest.hexdigest()


def _layout(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    layout = [(name, str(each.dtype), list(each.shape)) for name, each in sorted(tensors.items())]
    return json.dumps([header, layout]).encode()


def _text(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def to_bytes(tensor: Tensor) -> memoryview:
    """The bytes of a tensor, without a copy where it lies in one piece on the CPU."""
    raw: Any = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return memoryview(raw)
