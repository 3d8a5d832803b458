"""Shared helpers of the importers: rows, tables, and text files."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from graphfusion._utils.extras import require
from graphfusion._utils.files import read_regular
from graphfusion.recordings.problems import TableError
from graphfusion.recordings.table import read_table

if TYPE_CHECKING:
    import pandas as pd


class Row(NamedTuple):
    """A row of a table of utterances, see :func:`read_table`."""

    conversation: str
    speaker: str
    text: str | None = None
    start: float | None = None
    end: float | None = None
    audio: str | None = None
    video: str | None = None
    label: str | float | None = None
    split: str = "train"


def to_table(rows: Iterable[Row]) -> "pd.DataFrame":
    """Creates a table of utterances from rows."""
    require("recordings", "make a table")
    import pandas as pd

    return read_table(pd.DataFrame(list(rows), columns=Row._fields, dtype=object))


def timed_table(
    utterances: Iterable[tuple[str, float, float, str | None]],
    path: str | PathLike[str],
    recording: str | PathLike[str] | None,
    video: bool,
    split: str,
) -> "pd.DataFrame":
    """Creates a table of one recording's utterances, sorted by time.

    Args:
        utterances: `(speaker, start, end, text)` of each utterance.
        path: The path of the imported file, whose name is the conversation's id.
        recording: The path of the audio or video file.
        video: Whether the recording has video.
        split: The split of the conversation.
    """
    # Absolute, since relative paths would be relative to the table's file.
    file = None if recording is None else str(Path(recording).absolute())
    return to_table(
        Row(Path(path).stem, speaker, text, start, end, file, file if video else None, None, split)
        for speaker, start, end, text in sorted(utterances, key=lambda each: each[1:3])
    )


def read_text(path: str | PathLike[str]) -> str:
    """Reads a text file: UTF-16 if it has a byte-order mark, otherwise UTF-8.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is neither UTF-8 nor UTF-16.
    """
    data = read_regular(path)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8 or UTF-16, but: {error}.") from error


def read_columns(text: str, name: str, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yields the rows of a CSV file as `{column: text}`.

    Args:
        text: The content of the file.
        name: The path of the file, for error messages.
        columns: The required columns.

    Raises:
        TableError: If a column is missing, or a row has more or fewer cells than columns.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), restval=None)
    if lacking := [column for column in columns if column not in (reader.fieldnames or ())]:
        raise TableError([f"{name}: columns must include {lacking}, but are {reader.fieldnames}."])
    for row in reader:
        if None in row or None in row.values():
            raise TableError(
                [f"{name}, line {reader.line_num}: must have as many cells as there are columns."]
            )
        yield row
