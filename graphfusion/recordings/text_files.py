"""Reads text and CSV files, with errors that name the file."""

import csv
import io
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

from graphfusion._utils.extras import require
from graphfusion._utils.files import read_regular
from graphfusion.recordings.problems import TableError, name_rows

if TYPE_CHECKING:
    import pandas as pd


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


def parse_csv(text: str, name: str, required: Sequence[str] = ()) -> "pd.DataFrame":
    """Parses CSV to a pandas frame of strings: "0012" is an id, and "NA" can be a word.

    Args:
        text: The content of the file.
        name: The path of the file, for error messages.
        required: The required columns.

    Raises:
        TableError: If the text is not CSV separated by commas, a column is missing, or a row has
            more or fewer cells than columns.
    """
    require("recordings", "read a table")
    import pandas as pd

    header = text.partition("\n")[0]
    for separator, separators in ((";", "semicolons"), ("\t", "tabs")):
        if separator in header and "," not in header:
            wrong = f"cells must be separated by commas, but are by {separators}"
            raise TableError([f"{name}: {wrong}; save the table as CSV separated by commas."])
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns, *rows = [row for row in reader if row] or [[]]
    except csv.Error as error:
        where = f"{name}, line {reader.line_num}"
        raise TableError([f"{where}: must be a table in CSV, but: {error}."]) from error
    if wrong_rows := [n for n, row in enumerate(rows, 1) if len(row) != len(columns)]:
        rule = f"must have as many cells as there are columns, {len(columns)}"
        cause = "text with a comma must be in quotes"
        raise TableError([f"{name}, {name_rows(wrong_rows)}: {rule}; {cause}."])
    if lacking := [column for column in required if column not in columns]:
        raise TableError([f"{name}: columns must include {lacking}, but are {columns}."])
    return pd.DataFrame(rows, columns=columns, dtype=object)
