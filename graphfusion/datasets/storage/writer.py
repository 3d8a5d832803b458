"""Writes a corpus of any size in one pass, holding one conversation at a time."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, BinaryIO

import torch
from torch import Tensor

from graphfusion._utils.checks import check_tensor
from graphfusion.data.conversation import Conversation
from graphfusion.datasets._lazy import LazyConversations
from graphfusion.datasets._progress import Progress
from graphfusion.datasets.checks.consistency import Consistency
from graphfusion.datasets.checks.problems import Problem, value_problems
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
    """Plans the layout of a corpus file, and writes it.

    Labels and ids are read first, to reserve space for the header at the beginning of the file.
    The conversations are then read once.

    Args:
        classes: The names of the classes.
        splits: The conversations of each split.
        header: The header of the file, without splits and checksums.
    """

    def __init__(
        self,
        classes: Sequence[str],
        splits: Mapping[str, Sequence[Conversation]],
        header: Mapping[str, Any],
    ) -> None:
        self._splits = splits
        facts = {split: _index_entries(each) for split, each in splits.items()}
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
        """Writes the file.

        Raises:
            ValueError: If a conversation is invalid or inconsistent with the others.
        """
        start = self._start()
        ptr = torch.tensor(self._ptr)
        digest, checksums, whole = IndexDigest(ptr), [], True
        columns = {name: _ColumnBuffer(file, start, each) for name, each in self._columns.items()}
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
        # The rest of the space that was reserved for the header is filled with blanks.
        file.write((start - 8).to_bytes(8, "little") + header.ljust(start - 8))
        file.truncate(start + sum(each.nbytes for each in kept.values()))

    def _start(self) -> int:
        """Returns the offset of the data: the end of the longest possible header, aligned."""
        blank = "0" * 16
        checksums = {
            "algorithm": "sha256",
            "index": blank,
            "conversations": [blank] * len(self._ptr),
        }
        longest = self._render(self._columns, {**self._header, KEY: checksums})
        return -(-(8 + len(longest)) // _ALIGNMENT) * _ALIGNMENT

    def _render(self, columns: Mapping[str, Column], header: Mapping[str, Any]) -> bytes:
        # A single entry, since safetensors does not preserve the order of several.
        return render_header(columns, {"corpus": json.dumps(header)})

    def _conversations(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        place = 0
        for split, conversations in self._splits.items():
            ids = self._header["splits"][split]
            for name, conversation in zip(ids, conversations, strict=True):
                if conversation.id != name:
                    found = repr(conversation.id)
                    raise ValueError(
                        f"splits must not change while saving, but have {found} for {name!r}."
                    )
                self._consistency.add(split, conversation)
                # Checked again, since it may have been modified after the corpus was created.
                _raise_first([*value_problems(conversation), *self._consistency.found])
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


class _ColumnBuffer:
    """Buffers the rows of one tensor, and writes them in large blocks at its position."""

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


def _index_entries(conversations: Sequence[Conversation]) -> list[tuple[str, int]]:
    """Returns the id and the number of utterances of each conversation."""
    if isinstance(conversations, LazyConversations):
        sizes = map(len, conversations.labels())
        return list(zip(conversations.ids, sizes, strict=True))
    return [(each.id, len(each.y)) for each in conversations]


def _raise_first(problems: Sequence[Problem]) -> None:
    if problems:
        raise ValueError(str(problems[0]))
