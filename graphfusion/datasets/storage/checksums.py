"""Checksums of a corpus: one of its index, and one of each conversation.

A conversation's checksum covers its own content only. It is the same in memory and in a file, and
does not depend on other conversations.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Any

import torch
from torch import Tensor

from graphfusion._utils.counted import counted
from graphfusion.datasets.checks.problems import Problem
from graphfusion.datasets.readers._reading import FormatError

KEY = "checksums"
_ALGORITHM = "sha256"  # accelerated by most processors, and then twice as fast as others
_DAMAGED = "the file's index must match its checksum, but is damaged."
_BYTES = 8  # damage goes unnoticed with a probability of 1 in 2^64


def conversation_checksum(name: str, tensors: Mapping[str, Tensor]) -> str:
    """Computes the checksum of a conversation.

    Args:
        name: The id of the conversation.
        tensors: Its tensors, by their names in the format; a `present` that is all True counts as
            left out.
    """
    digest = sha256(_encode_id(name))
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
    """Computes the checksum of a whole corpus.

    Args:
        classes: The names of the classes.
        modalities: The names of the modalities, in order.
        columns: The dtype and trailing shape of each tensor.
        splits: `{split: [(id, number of utterances, checksum)]}`, for each conversation.
    """
    digest = sha256(json.dumps([classes, modalities, sorted(columns.items())]).encode())
    for split, conversations in splits.items():
        digest.update(json.dumps([split, list(conversations)]).encode())
    return digest.hexdigest()[: 4 * _BYTES]


class IndexDigest:
    """Computes the checksum of an index incrementally, one conversation's labels at a time.

    Args:
        ptr: `[B + 1]`, the offsets of the conversations.
    """

    def __init__(self, ptr: Tensor) -> None:
        self._digest = sha256(to_bytes(ptr))

    def add(self, y: Tensor) -> None:
        """Adds labels, which are part of the index since they can be read without the features."""
        self._digest.update(to_bytes(y))

    def finish(self, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
        """Returns the checksum, after adding the header and the dtypes and shapes of tensors."""
        self._digest.update(_layout(header, tensors))
        return self._digest.hexdigest()[: 2 * _BYTES]


def with_checksums(
    header: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    conversations: Sequence[str],
    digest: IndexDigest,
) -> dict[str, Any]:
    """Returns the header of a corpus file with all checksums added.

    Args:
        header: The header without checksums.
        tensors: The tensors of the file, or meta tensors like them.
        conversations: The checksum of each conversation.
        digest: The digest of the index, to which all labels have been added.
    """
    found = {"algorithm": _ALGORITHM, "conversations": conversations}
    return {**header, KEY: {"index": digest.finish({**header, KEY: found}, tensors), **found}}


class Checksums:
    """The checksums of a file, whose index is verified on creation.

    Args:
        header: The header of the file.
        tensors: The tensors of the file: `ptr` and `y` with values, the others may be meta tensors.

    Raises:
        FormatError: If the index has changed since the file was written. Conversations cannot be
            verified then.
    """

    def __init__(self, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self.legacy = False
        self.conversations: list[str] | None = None
        if (found := header.get(KEY)) is not None:
            if problem := self._problem(found, header, tensors):
                raise FormatError.of([Problem(None, KEY, problem)])
            self.legacy = "algorithm" not in found
            self.conversations = found["conversations"]

    def check(self, place: int, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Checks that a conversation has not changed since it was written.

        Raises:
            FormatError: If its checksum differs.
        """
        checksum = _legacy_checksum if self.legacy else conversation_checksum
        if self.conversations and self.conversations[place] != checksum(name, tensors):
            message = "its data must match their checksum, but are damaged."
            raise FormatError.of([Problem(name, KEY, message)])

    def _problem(
        self, found: object, header: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> str | None:
        size = sum(map(len, header["splits"].values()))
        given = found.get("conversations") if isinstance(found, dict) else None
        if not isinstance(found, dict) or not isinstance(given, list) or len(given) != size:
            return f"{KEY} must cover the index and {counted(size, 'conversation')}."
        if found.get("algorithm") not in (None, _ALGORITHM):
            return f"{KEY} must be of {_ALGORITHM}, but got {found['algorithm']!r:.80}."
        rest = {**header, KEY: {key: value for key, value in found.items() if key != "index"}}
        if "algorithm" in found:
            digest = IndexDigest(tensors["ptr"])
            digest.add(tensors["y"])
            index = digest.finish(rest, tensors)
        else:
            legacy = blake2b(_layout(rest, tensors), digest_size=_BYTES)
            legacy.update(to_bytes(tensors["ptr"]))
            index = legacy.hexdigest()
        return None if found.get("index") == index else _DAMAGED


def _legacy_checksum(name: str, tensors: Mapping[str, Tensor]) -> str:
    """Computes a conversation's checksum as the first releases of the format did."""
    digest = blake2b(_encode_id(name), digest_size=_BYTES)
    for _, values in sorted(tensors.items()):
        digest.update(to_bytes(values))
    return digest.hexdigest()


def _layout(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    layout = [(name, str(each.dtype), list(each.shape)) for name, each in sorted(tensors.items())]
    return json.dumps([header, layout]).encode()


def _encode_id(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def to_bytes(tensor: Tensor) -> memoryview:
    """Returns the bytes of a tensor, without a copy if it is contiguous and on the CPU."""
    raw: Any = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return memoryview(raw)
