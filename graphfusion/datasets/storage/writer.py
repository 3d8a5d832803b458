"""Writes a corpus of any size: each conversation is looked at once, and not kept."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, BinaryIO

import torch
from torch import Tensor

from graphfusion._utils.checks import check_tensor
from graphfusion.data.conversation import Conversation
from graphfusion.datasets._lazy import Lazy
from graphfusion.datasets._progress import Progress
from graphfusion.datasets.checks.consistency import Consistency
from graphfusion.datasets.checks.problems import Problem, faults
from graphfusion.datasets.storage.checksums import (
    KEY,
    IndexDigest,
    conversation_checksum,
    to_bytes,
    with_checksums,
)
from graphfusion.datasets.storage.safetensors import Column, place_columns, render_header
from graphfusion.datasets.storage.tensors import to_tensors

_BUFFER = 2**22  # bytes of a tensor that are written at once
_ALIGNMENT = 8


class Writer:
    """What a corpus's file has where, and how it gets there.

    The labels and ids are asked for first, since a file begins with what it holds; the
    conversations then, once.

    Args:
        classes: The corpus's classes.
        splits: Its splits.
        header: What the file is to say of itself.
    """

    def __init__(
        self,
        classes: Sequence[str],
        splits: Mapping[str, Sequence[Conversation]],
        header: Mapping[str, Any],
    ) -> None:
        self._splits = splits
        facts = {split: _facts(each) for split, each in splits.items()}
        ids = {split: [name for name, _ in each] for split, each in facts.items()}
        self._header = {**header, "splits": ids}
        self._modalities: list[str] = header["modalities"]
        self._consistency = Consistency(classes, splits)
        sizes = (size for each in facts.values() for _, size in each)
        self._ptr = [0, *accumulate(sizes)]
        self._first = self._tensors(splits["train"][0])
        self._columns = place_columns(
            {
                "ptr": (torch.int64, [len(self._ptr)]),
                **{
                    name: (each.dtype, [self._ptr[-1], *each.shape[1:]])
                    for name, each in self._first.items()
                },
            }
        )

    def write(self, file: BinaryIO, progress: Progress) -> None:
        """Writes it all.

        Raises:
            ValueError: If a conversation holds what could not be read again.
        """
        start = self._start()
        ptr = torch.tensor(self._ptr)
        digest, checksums, whole = IndexDigest(ptr), [], True
        columns = {name: _Spool(file, start, each) for name, each in self._columns.items()}
        columns["ptr"].add(ptr)
        for name, tensors in progress(self._conversations(), len(self._ptr) - 1):
            whole = whole and bool(tensors["present"].all())
            checksums.append(conversation_checksum(name, tensors))
            digest.add(tensors["y"])
            for field, values in tensors.items():
                columns[field].add(values)
        for each in columns.values():
            each.flush()
        kept = {k: each for k, each in self._columns.items() if not (whole and k == "present")}
        meta = {name: each.meta() for name, each in kept.items()}
        header = self._render(kept, with_checksums(self._header, meta, checksums, digest))
        file.seek(0)
        # What the header does not need of the place that was left for it is blank.
        file.write((start - 8).to_bytes(8, "little") + header.ljust(start - 8))
        file.truncate(start + sum(each.nbytes for each in kept.values()))

    def _start(self) -> int:
        """Where the data begin: behind the longest header that there may be."""
        blank = "0" * 16
        checksums = {
            "algorithm": "sha256",
            "index": blank,
            "conversations": [blank] * len(self._ptr),
        }
        longest = self._render(self._columns, {**self._header, KEY: checksums})
        return -(-(8 + len(longest)) // _ALIGNMENT) * _ALIGNMENT

    def _render(self, columns: Mapping[str, Column], header: Mapping[str, Any]) -> bytes:
        # One entry: safetensors has no order among several.
        return render_header(columns, {"corpus": json.dumps(header)})

    def _conversations(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        place = 0
        for split, conversations in self._splits.items():
            ids = self._header["splits"][split]
            for name, conversation in zip(ids, conversations, strict=True):
                if conversation.id != name:
                    found = repr(conversation.id)
                    raise ValueError(
                        f"splits must stay as they are, but have {found} for {name!r}."
                    )
                self._consistency.add(split, conversation)
                # It can have been changed since the corpus was made.
                _refuse([*faults(conversation), *self._consistency.found])
                tensors = self._tensors(conversation)
                self._check(name, self._ptr[place + 1] - self._ptr[place], tensors)
                yield name, tensors
                place += 1

    def _tensors(self, conversation: Conversation) -> dict[str, Tensor]:
        tensors = to_tensors(conversation, self._modalities)
        return {name: each.detach().cpu() for name, each in tensors.items()}

    def _check(self, name: str, size: int, tensors: Mapping[str, Tensor]) -> None:
        if ("score" in tensors) != ("score" in self._first):
            raise ValueError(
                "all conversations or none must have a score, but only one of the first and "
                f"{name!r} has one."
            )
        for field, values in tensors.items():
            column = self._columns[field]
            if values.dtype != column.dtype:
                dtypes = sorted(map(str, (values.dtype, column.dtype)))
                raise ValueError(
                    f"{field} must have one dtype in all conversations, but has {dtypes}."
                )
            try:
                check_tensor(field, values, [size, *column.shape[1:]], values.dtype)
            except ValueError as error:
                raise ValueError(f"conversation {name!r}: {error}") from error


class _Spool:
    """Collects a tensor's rows, and writes many at once where they belong."""

    def __init__(self, file: BinaryIO, start: int, column: Column) -> None:
        self._file = file
        self._place = start + column.offset
        self._buffer = bytearray()

    def add(self, values: Tensor) -> None:
        self._buffer += to_bytes(values)
        if len(self._buffer) >= _BUFFER:
            self.flush()

    def flush(self) -> None:
        self._file.seek(self._place)
        self._file.write(self._buffer)
        self._place += len(self._buffer)
        self._buffer = bytearray()


def _facts(conversations: Sequence[Conversation]) -> list[tuple[str, int]]:
    """The id and number of utterances of each."""
    if isinstance(conversations, Lazy):
        sizes = map(len, conversations.labels())
        return list(zip(conversations.ids, sizes, strict=True))
    return [(each.id, len(each.y)) for each in conversations]


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise ValueError(str(problems[0]))
