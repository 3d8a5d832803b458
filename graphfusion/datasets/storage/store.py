"""An open file of the library's own format: the index is in memory, the data stay in the file."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from graphfusion.data.batch_schema import Schema
from graphfusion.data.conversation import Conversation, trusted_conversation
from graphfusion.datasets.checks.problems import value_problems
from graphfusion.datasets.readers._contents import RawConversation
from graphfusion.datasets.readers._reading import FormatError, error_context
from graphfusion.datasets.storage.checksums import Checksums
from graphfusion.datasets.storage.layout import check_header, check_tensors, read_header
from graphfusion.datasets.storage.rows import Rows, read_whole
from graphfusion.datasets.storage.safetensors import check_file, parse_columns
from graphfusion.datasets.storage.source import Source


class Store:
    """The conversations of a file, read on access.

    It pickles as the file's path. A conversation's values and checksum are verified when it is
    first read.

    Args:
        source: The file.

    Raises:
        ImportError: If safetensors is not installed.
        FormatError: If the header, the layout of the tensors or the index is invalid.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        with error_context(source.path):
            check_file(source.path)
            header = read_header(source.header)
            columns = parse_columns(source.header)
            tensors = {name: column.meta() for name, column in columns.items()}
            if problems := list(check_header(header)):
                raise FormatError.of(problems)
            if (ptr := columns.get("ptr")) and ptr.dtype == torch.int64:
                tensors["ptr"] = read_whole(source, ptr)  # with values, which are checked below
            if problems := list(check_tensors(header, tensors)):
                raise FormatError.of(problems)
            self._y = columns["y"]
            self._checksums = Checksums(header, tensors | {"y": read_whole(source, self._y)})
        self.header = header
        self.ids: list[str] = list(chain.from_iterable(header["splits"].values()))
        self.in_channels: dict[str, int] = {
            name: columns[f"features.{name}"].shape[1] for name in header["modalities"]
        }
        features = {name: tensors[f"features.{name}"] for name in header["modalities"]}
        self._schema = Schema(features, tensors["y"])
        rest = {name: column for name, column in columns.items() if name != "ptr"}
        self._rows = Rows(source, rest, header["modalities"], tensors["ptr"].tolist())
        self._checked = bytearray(len(self.ids))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._source,)

    @property
    def path(self) -> str:
        """The absolute path of the file."""
        return self._source.path

    def labels(self) -> list[Tensor]:
        """Reads the labels of each conversation.

        Raises:
            FormatError: If the file has changed since it was opened.
        """
        return list(read_whole(self._source, self._y).split(self._rows.sizes))

    def checksums(self) -> list[str] | None:
        """Returns the checksum of each conversation, or None if they are missing or legacy ones."""
        return None if self._checksums.legacy else self._checksums.conversations

    def raw(self, place: int) -> RawConversation:
        """Reads a conversation without validating its values.

        Raises:
            FormatError: If its checksum differs.
        """
        tensors = self._rows.read([place])
        self._checksums.check(place, self.ids[place], tensors)
        return RawConversation(
            self.ids[place],
            self._rows.features(tensors),
            tensors["speaker"],
            tensors["y"],
            self._rows.masks(tensors),
            tensors.get("score"),
        )

    def conversation(self, place: int) -> Conversation:
        """Reads and validates a conversation.

        Raises:
            FormatError: If it is invalid, or the file has changed since it was opened.
            OSError: If the file cannot be reopened or read.
        """
        if self._checked[place]:
            (conversation,) = self._trusted([place])
            return conversation
        with error_context(self.path):
            raw = self.raw(place)
            if problems := list(value_problems(raw)):
                raise FormatError.of(problems)
        self._checked[place] = True
        return raw.checked()

    def batch(self, places: Sequence[int]) -> list[Conversation]:
        """Reads several conversations at once, which is faster; their tensors share memory."""
        if places and all(self._checked[place] for place in places):
            return self._trusted(places)
        return [self.conversation(place) for place in places]

    def _trusted(self, places: Sequence[int]) -> list[Conversation]:
        tensors = self._rows.read(places)
        sizes = [self._rows.sizes[place] for place in places]

        def split(wholes: Iterable[Tensor]) -> Iterator[tuple[Tensor, ...]]:
            # Unlike `split`, it leaves out the views' bookkeeping for autograd.
            return zip(
                *(torch.unsafe_split_with_sizes(each, sizes) for each in wholes), strict=True
            )

        modalities = list(self.in_channels)
        columns = [
            split(self._rows.features(tensors).values()),
            split(self._rows.masks(tensors).values()),
            split(tensors[name] for name in ("speaker", "y", "score") if name in tensors),
        ]
        return [
            trusted_conversation(
                dict(zip(modalities, features, strict=True)),
                speaker,
                y,
                dict(zip(modalities, masks, strict=True)),
                self._schema,
                id=self.ids[place],
                **({"score": score[0]} if score else {}),
            )
            for place, features, masks, (speaker, y, *score) in zip(places, *columns, strict=True)
        ]
