"""Checksums of a corpus: one of its index, and one of each conversation.

A conversation's is that of what it holds alone, so it is the same in memory, in a file, and among
other conversations.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b, sha256
from itertools import chain, pairwise
from typing import Any

import torch
from torch import Tensor

from graphfusion.datasets._problems import Problem

KEY = "checksums"
_ALGORITHM = "sha256"  # most processors compute it, twice as fast as others
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
            digest.update(_bytes(values))
    return digest.hexdigest()[: 2 * _BYTES]


def fingerprint(
    classes: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    splits: Mapping[str, Iterable[tuple[str, int, str]]],
) -> str:
    """The checksum of all that a corpus holds.

    Args:
        classes: Its classes.
        columns: What each of its tensors is, in its order.
        splits: `{split: (id, number of utterances, checksum)}` of each conversation.
    """
    digest = sha256(json.dumps([classes, list(columns.items())]).encode())
    for split, conversations in splits.items():
        digest.update(json.dumps([split, list(conversations)]).encode())
    return digest.hexdigest()[: 4 * _BYTES]


def with_checksums(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The header of a corpus file, with the checksums of all that is in it.

    Args:
        header: What the file says of itself.
        tensors: What it holds; as they should be but for the values of the data.
    """
    conversations = [conversation_checksum(*each) for each in _parts(header, tensors)]
    found = {"algorithm": _ALGORITHM, "conversations": conversations}
    index = _index({**header, KEY: found}, tensors)
    return {**header, KEY: {"index": index, **found}}


def wrong_checksums(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Iterator[Problem]:
    """What has changed since the file was written, if it has checksums.

    Of the index alone, since nothing is known about the conversations of one that is damaged.
    """
    found = header.get(KEY)
    if found is None:
        return
    given = found.get("conversations") if isinstance(found, dict) else None
    size = sum(map(len, header["splits"].values()))
    if not isinstance(given, list) or len(given) != size:
        yield Problem(None, KEY, f"{KEY} must be of the index and {size} conversations.")
        return
    if found.get("algorithm") not in (None, _ALGORITHM):
        message = f"{KEY} must be of {_ALGORITHM}, but got {found['algorithm']!r:.80}."
        yield Problem(None, KEY, message)
        return
    early = "algorithm" not in found
    rest = {key: value for key, value in found.items() if key != "index"}
    index: Callable[..., str] = _early_index if early else _index
    conversation: Callable[..., str] = _early_conversation if early else conversation_checksum
    if found.get("index") != index({**header, KEY: rest}, tensors):
        yield Problem(None, KEY, "the file's index must be as it was written, but is damaged.")
        return
    for written, part in zip(given, _parts(header, tensors), strict=True):
        if written != conversation(*part):
            message = "its data must be as they were written, but are damaged."
            yield Problem(part[0], KEY, message)


def _index(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = sha256(_layout(header, tensors))
    for name in ("ptr", "y"):  # the labels, too: they are read without the rest
        digest.update(_bytes(tensors[name]))
    return digest.hexdigest()[: 2 * _BYTES]


def _early_index(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """As the first files have it."""
    digest = blake2b(_layout(header, tensors), digest_size=_BYTES)
    digest.update(_bytes(tensors["ptr"]))
    return digest.hexdigest()


def _early_conversation(name: str, tensors: Mapping[str, Tensor]) -> str:
    digest = blake2b(_text(name), digest_size=_BYTES)
    for _, values in sorted(tensors.items()):
        digest.update(_bytes(values))
    return digest.hexdigest()


def _layout(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    layout = [(name, str(each.dtype), list(each.shape)) for name, each in sorted(tensors.items())]
    return json.dumps([header, layout]).encode()


def _parts(
    header: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """Of each conversation the id, and what it has, by the tensors' names."""
    ids = chain.from_iterable(header["splits"].values())
    whole = {name: each for name, each in tensors.items() if name != "ptr"}
    for name, (start, end) in zip(ids, pairwise(tensors["ptr"].tolist()), strict=True):
        yield name, {field: each[start:end] for field, each in whole.items()}


def _text(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _bytes(tensor: Tensor) -> memoryview:
    raw: Any = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return memoryview(raw)
