"""What all importers make: rows, and a table of them."""

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple

from graphfusion._utils.files import read_regular
from graphfusion.recordings.table import read_table

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
    import pandas as pd

    return read_table(pd.DataFrame(list(rows), columns=Row._fields, dtype=object))


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
