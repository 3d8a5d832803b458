"""The table: a row per utterance, from a CSV or Parquet file or a frame."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphfusion._utils.extras import require

if TYPE_CHECKING:
    import pandas as pd

#: Every column that a table may have; the first two it must.
COLUMNS = ("conversation", "speaker", "text", "start", "end", "audio", "video", "label", "split")
_FILES = ("audio", "video")
_TIMES = ("start", "end")


class TableError(ValueError):
    """A table that is wrong.

    Args:
        problems: All that is, each with its row; row 1 is the first utterance.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "the table must be corrected:\n" + "\n".join(self.problems)


@dataclass(frozen=True)
class Utterance:
    """A row of the table; what is missing is None.

    Args:
        row: Its number, from 1.
        conversation: The conversation's id.
        speaker: Who said it.
        text: What was said.
        start: In seconds, within the files.
        end: In seconds; None, as `start`: the whole file is the utterance.
        audio: The path of its sound.
        video: The path of its pictures.
        label: Its class's name, or its score.
        split: "train", or another.
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
        """Where it is, for errors."""
        times = "" if self.start is None else f" ({self.start:g} to {self.end:g} s)"
        return f"row {self.row}, conversation {self.conversation!r}{times}"


def read_table(
    source: "str | PathLike[str] | pd.DataFrame", root: str | PathLike[str] | None = None
) -> "pd.DataFrame":
    """Reads a table of utterances and puts it into one form.

    Its columns are `conversation` and `speaker`, and, as far as they are known, `text`, `start` and
    `end` (in seconds; without them the whole file is the utterance), `audio` and `video` (files;
    one that has both is named twice), `label` and `split` (without it all are "train"). The
    utterances of a conversation stand in their order.

    Args:
        source: A `.csv` or `.parquet` file, or a frame.
        root: The folder that the paths in it start from; None: the file's own, or for a frame the
            current one.

    Returns:
        A frame with all of the columns, absolute paths, and None or NaN for what is missing.

    Raises:
        ImportError: If pandas is not installed.
        TableError: If a column is missing or unknown, or a cell that must be there is empty.
        ValueError: If it is no such file.
        OSError: If it cannot be read.

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
            # Text as it is written: "0012" is an id, and "NA" and "null" may be words.
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        else:
            raise ValueError(f"source must be a .csv or .parquet file or a frame, but got {path}.")
    if wrong := _wrong_columns(list(frame.columns)):
        raise TableError(wrong)
    return _normalise(frame, base.absolute())


def utterances(table: "pd.DataFrame") -> Iterator[Utterance]:
    """The rows of a table that :func:`read_table` has read."""
    columns = [table[name].tolist() for name in COLUMNS]
    for row, values in enumerate(zip(*columns, strict=True), 1):
        yield Utterance(row, *(None if value != value else value for value in values))  # type: ignore[arg-type]


def by_conversation(rows: Iterable[Utterance]) -> dict[str, list[Utterance]]:
    """The utterances of each conversation, in their order."""
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
    """A cell as text; the 7.0 that a gap in a column made of a 7 is a 7 again."""
    return str(int(cell)) if _is_number(cell) and float(cell).is_integer() else str(cell)


def _seconds(name: str, cell: Any, row: int, problems: list[str]) -> float:
    if cell is None:
        return float("nan")
    try:
        return float(cell)
    except (TypeError, ValueError):
        problems.append(f"row {row}: {name} must be a number of seconds, but is {cell!r}.")
        return float("nan")
