"""Reads tables with one row per utterance, from a CSV or Parquet file or a pandas frame."""

import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphfusion._utils.extras import require
from graphfusion.recordings.grouped import grouped
from graphfusion.recordings.problems import Problem, TableError, group_problems
from graphfusion.recordings.text_files import parse_csv, read_text

if TYPE_CHECKING:
    import pandas as pd

#: All columns of a table; the first two are required.
COLUMNS = ("conversation", "speaker", "text", "start", "end", "audio", "video", "label", "split")
_FILES = ("audio", "video")
_TIMES = ("start", "end")
_REQUIRED = ("conversation", "speaker", "split")  # in every row
_NAMES = (*_REQUIRED, "label")

#: Suffixes of the files of tables.
SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Utterance:
    """A row of the table; missing values are None.

    Args:
        row: The number of the row, from 1.
        conversation: The id of the conversation.
        speaker: The speaker.
        text: The words.
        start: The start in seconds, within the files.
        end: The end in seconds. If `start` and `end` are None, the utterance is the whole file.
        audio: The path of the audio file.
        video: The path of the video file.
        label: The name of the class, or the score.
        split: The split, such as "train".
    """

    row: int
    conversation: str
    speaker: str
    text: str | None
    start: float | None
    end: float | None
    audio: str | None
    video: str | None
    label: str | float | None
    split: str

    @property
    def name(self) -> str:
        """The location of the utterance, for error messages."""
        times = "" if self.start is None else f" ({self.start:g} to {self.end:g} s)"
        return f"row {self.row}, conversation {self.conversation!r}{times}"


def read_table(
    source: "str | PathLike[str] | pd.DataFrame", root: str | PathLike[str] | None = None
) -> "pd.DataFrame":
    """Reads a table of utterances and normalises it.

    The columns `conversation` and `speaker` are required. Optional are `text`; `start` and `end` in
    seconds (without them, the utterance is the whole file); the files `audio` and `video`, which
    may be the same; `label`; and `split` ("train" if missing). The utterances of a conversation
    must be in order. Names of conversations, speakers, labels and splits are stripped of spaces at
    both ends, and normalised to Unicode NFC.

    Args:
        source: The path of a `.csv` file, in UTF-8 (or UTF-16, if it has a byte-order mark) and
            separated by commas; of a `.parquet` file; or a pandas frame.
        root: The folder of relative paths in the table; None: the file's folder, or for a frame the
            current folder.

    Returns:
        A pandas frame with all columns, absolute paths, and None or NaN for missing values.

    Raises:
        ImportError: If pandas is not installed.
        TableError: If a column is missing or unknown, a required cell is empty, or a CSV file is
            not separated by commas.
        ValueError: If the file has another suffix, or a CSV file has another encoding.
        OSError: If the file cannot be read.

    Example::

        conversation,speaker,text,start,end,audio,label,split
        monday,Ann,Good morning!,0.0,1.2,monday.wav,calm,train
        monday,Bob,Where have you been?,1.5,2.9,monday.wav,angry,train
    """
    require("recordings", "read a table")
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        frame, base = source, Path(root or ".")
    else:
        path = Path(source)
        base = Path(root) if root is not None else path.parent
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        elif path.suffix == ".csv":
            frame = parse_csv(read_text(path), str(path))
        else:
            raise ValueError(f"source must be a .csv or .parquet file or a frame, but got {path}.")
    if wrong := _wrong_columns(list(frame.columns)):
        raise TableError(wrong)
    return _normalise(frame, base.absolute())


def utterances(table: "pd.DataFrame") -> Iterator[Utterance]:
    """Yields the rows of a table returned by :func:`read_table`."""
    columns = [table[name].tolist() for name in COLUMNS]
    for row, values in enumerate(zip(*columns, strict=True), 1):
        yield Utterance(row, *(None if value != value else value for value in values))  # type: ignore[arg-type]


def by_conversation(rows: Iterable[Utterance]) -> dict[str, list[Utterance]]:
    """Groups utterances by conversation, keeping their order."""
    return grouped((each.conversation, each) for each in rows)


def by_file(rows: list[Utterance], columns: Collection[str] = _FILES) -> dict[str, list[Utterance]]:
    """Groups rows by the files that they name; audio and video of a row may be the same."""
    return grouped(
        (path, each)
        for each in rows
        for path in {getattr(each, name): 0 for name in _FILES if name in columns}
        if path is not None
    )


def labels_of(rows: list[Utterance]) -> list[tuple[int, str | float]]:
    """Returns the row and the label of each labelled utterance."""
    return [(each.row, each.label) for each in rows if each.label is not None]


def _wrong_columns(columns: list[Any]) -> list[str]:
    problems = []
    if lacking := [name for name in COLUMNS[:2] if name not in columns]:
        problems.append(f"columns: must have {', '.join(lacking)}, but are {columns}.")
    if unknown := [name for name in columns if name not in COLUMNS]:
        problems.append(f"columns: must be among {', '.join(COLUMNS)}, but there are {unknown}.")
    if len(set(columns)) < len(columns):
        problems.append(f"columns: must be different, but are {columns}.")
    return problems


def _normalise(frame: "pd.DataFrame", base: Path) -> "pd.DataFrame":
    import pandas as pd

    if frame.empty:
        raise TableError(["rows: there must be one at least, but there is none."])
    frame = frame.astype(object).where(frame.notna(), None)
    problems: list[Problem] = []
    whole = {}
    for name in COLUMNS:
        default = "train" if name == "split" else None
        cells = list(frame.get(name, [default] * len(frame)))
        cells = [None if isinstance(cell, str) and not cell.strip() else cell for cell in cells]
        if name in _REQUIRED:
            rule = f"{name} must be given, but is empty"
            problems += [(row, rule, "") for row, cell in enumerate(cells, 1) if cell is None]
        if name in _TIMES:
            cells = [_seconds(name, cell, row, problems) for row, cell in enumerate(cells, 1)]
        elif name in _FILES:
            cells = [cell and str(base / str(cell)) for cell in cells]
        elif name != "label" or not all(_is_number(cell) for cell in cells if cell is not None):
            cells = [None if cell is None else _text(cell) for cell in cells]
        if name in _NAMES:
            cells = [tidy(cell) if isinstance(cell, str) else cell for cell in cells]
        whole[name] = pd.Series(cells, dtype="float64" if name in _TIMES else object)
    if problems:
        raise TableError(group_problems(problems))
    return pd.DataFrame(whole)


def tidy(name: str) -> str:
    """Normalises a name; otherwise one person, class or conversation would be several."""
    return unicodedata.normalize("NFC", name.strip())


def _is_number(cell: Any) -> bool:
    return isinstance(cell, float | np.floating)


def _text(cell: Any) -> str:
    """Converts a cell to text; a whole float, such as 7.0 from a column with gaps, becomes "7"."""
    return str(int(cell)) if _is_number(cell) and float(cell).is_integer() else str(cell)


def _seconds(name: str, cell: Any, row: int, problems: list[Problem]) -> float:
    if cell is None:
        return float("nan")
    try:
        return float(cell)
    except (TypeError, ValueError):
        rule = f"{name} must be a number of seconds with a decimal point, such as 1.5"
        problems.append((row, rule, f", but is {cell!r}"))
        return float("nan")
