"""Checksums of a corpus file: one of its index, and one of each conversation."""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain, pairwise
from typing import Any

import torch
from torch import Tensor

from graphfusion.datasets._problems import Problem

KEY = "checksums"
_BYTES = 8  # that damage goes unnoticed is as likely as 1 in 2^64


def with_checksums(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The header of a corpus file, with the checksums of all that is in it.

    Args:
        header: What the file says of itself.
        tensors: What it holds; as they should be but for the values of the data.
    """
    conversations = [_conversation(*each) for each in _parts(header, tensors)]
    whole = {**header, KEY: {"conversations": conversations}}
    return {**header, KEY: {"index": _index(whole, tensors), "conversations": conversations}}


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
    if found.get("index") != _index({**header, KEY: {"conversations": given}}, tensors):
        yield Problem(None, KEY, "the file's index must be as it was written, but is damaged.")
        return
    for written, part in zip(given, _parts(header, tensors), strict=True):
        if written != _conversation(*part):
            message = "its data must be as they were written, but are damaged."
            yield Problem(part[0], KEY, message)


def _index(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    layout = [(name, str(each.dtype), list(each.shape)) for name, each in sorted(tensors.items())]
    digest = blake2b(json.dumps([header, layout]).encode(), digest_size=_BYTES)
    digest.update(_bytes(tensors["ptr"]))
    return digest.hexdigest()


def _parts(
    header: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> Iterator[tuple[str, Sequence[memoryview]]]:
    """Of each conversation the id, and the bytes of what it has, by the tensors' names."""
    ids = chain.from_iterable(header["splits"].values())
    whole = [
        (_bytes(each), each.nbytes // len(each))
        for name, each in sorted(tensors.items())
        if name != "ptr"
    ]
    for name, (start, end) in zip(ids, pairwise(tensors["ptr"].tolist()), strict=True):
        yield name, [raw[start * width : end * width] for raw, width in whole]


def _conversation(name: str, parts: Sequence[memoryview]) -> str:
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_BYTES)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    raw: Any = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
    return memoryview(raw)
