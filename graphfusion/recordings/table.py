"""Reads tables with one row per utterance, from a CSV or Parquet file or a pandas frame."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphfusion._utils.extras import require

if TYPE_CHECKING:
    import pandas as pd

#: All columns of a table; the first two are required.
COLUMNS = ("conversation", "speaker", "text", "start", "end", "audio", "video", "label", "split")
_FILES = ("audio", "video")
_TIMES = ("start", "end")


class TableError(ValueError):
    """Raised if a table is invalid; the message lists every problem.

    Args:
        problems: The problems, each with its row; row 1 is the first utterance.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "the table must be corrected:\n" + "\n".join(self.problems)


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
    must be in order.

    Args:
        source: The path of a `.csv` or `.parquet` file, or a pandas frame.
        root: The folder of relative paths in the table; None: the file's folder, or for a frame the
            current folder.

    Returns:
        A pandas frame with all columns, absolute paths, and None or NaN for missing values.

    Raises:
        ImportError: If pandas is not installed.
        TableError: If a column is missing or unknown, or a required cell is empty.
        ValueError: If the file has another suffix.
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
            # As strings: "0012" is an id, and "NA" and "null" can be words.
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
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
    whole: dict[str, list[Utterance]] = {}
    for each in rows:
        whole.setdefault(each.conversation, []).append(each)
    return whole


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

    problems: list[str] = []
    if frame.empty:
        problems.append("rows: there must be one at least, but there is none.")
    whole = {}
    for name in COLUMNS:
        cells = frame[name].tolist() if name in frame else [None] * len(frame)
        cells = [None if _is_empty(cell) else cell for cell in cells]
        if name == "split" and name not in frame:
            cells = ["train"] * len(frame)
        if name in ("conversation", "speaker", "split"):
            problems += [
                f"row {row}: {name} must be given, but is empty."
                for row, cell in enumerate(cells, 1)
                if cell is None
            ]
        if name in _TIMES:
            cells = [_seconds(name, cell, row, problems) for row, cell in enumerate(cells, 1)]
            whole[name] = pd.Series(cells, dtype="float64")
            continue
        if name in _FILES:
            cells = [cell and str(base / str(cell)) for cell in cells]
        elif name != "label" or not all(_is_number(cell) for cell in cells if cell is not None):
            cells = [None if cell is None else _text(cell) for cell in cells]
        whole[name] = pd.Series(cells, dtype=object)
    if problems:
        raise TableError(problems)
    return pd.DataFrame(whole)


def _is_empty(cell: Any) -> bool:
    import pandas as pd

    return cell is None or bool(pd.isna(cell)) or (isinstance(cell, str) and not cell.strip())


def _is_number(cell: Any) -> bool:
    import numpy as np

    return isinstance(cell, float | np.floating)


def _text(cell: Any) -> str:
    """Converts a cell to text; a whole float, such as 7.0 from a column with gaps, becomes "7"."""
    return str(int(cell)) if _is_number(cell) and float(cell).is_integer() else str(cell)


def _seconds(name: str, cell: Any, row: int, problems: list[str]) -> float:
    if cell is None:
        return float("nan")
    try:
        return float(cell)
    except (TypeError, ValueError):
        problems.append(f"row {row}: {name} must be a number of seconds, but is {cell!r}.")
        return float("nan")
