"""What all importers make: rows, and a table of them."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from graphfusion._utils.extras import require
from graphfusion._utils.files import read_regular
from graphfusion.recordings.table import TableError, read_table

if TYPE_CHECKING:
    import pandas as pd


class Row(NamedTuple):
    """A row of the table, see :func:`read_table`."""

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
    """The table of these rows."""
    require("recordings", "make a table")
    import pandas as pd

    return read_table(pd.DataFrame(list(rows), columns=Row._fields, dtype=object))


def timed_table(
    said: Iterable[tuple[str, float, float, str | None]],
    path: str | PathLike[str],
    recording: str | PathLike[str] | None,
    video: bool,
    split: str,
) -> "pd.DataFrame":
    """The table of one recording's utterances, in the order of their times.

    Args:
        said: Speaker, start, end and words of each.
        path: The file that they were read from, whose name is the conversation's id.
        recording: The file of sound, or of sound and video.
        video: Whether it has pictures, too.
        split: Its split.
    """
    # An absolute path, for it is not relative to a table.
    file = None if recording is None else str(Path(recording).absolute())
    return to_table(
        Row(Path(path).stem, speaker, text, start, end, file, file if video else None, None, split)
        for speaker, start, end, text in sorted(said, key=lambda each: each[1:3])
    )


def read_text(path: str | PathLike[str]) -> str:
    """A file's text: UTF-16 if it says so, else UTF-8.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is neither.
    """
    data = read_regular(path)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8 or UTF-16, but: {error}.") from error


def read_columns(text: str, name: str, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """The rows of a CSV by column, all of them as text.

    Args:
        text: Its content.
        name: Its path, for errors.
        columns: Those that it must have.

    Raises:
        TableError: If it lacks a column, or a row has more or fewer cells.
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
