"""Imports speaker turns in RTTM, the format of diarisation, combined with timed words."""

import math
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from graphfusion.recordings.importers.rows import read_columns, read_text, timed_table
from graphfusion.recordings.table import TableError

if TYPE_CHECKING:
    import pandas as pd

Word = tuple[float, float, str]


def read_rttm(
    path: str | PathLike[str],
    words: str | PathLike[str] | Iterable[Word],
    recording: str | PathLike[str] | None = None,
    *,
    video: bool = False,
    split: str = "train",
) -> "pd.DataFrame":
    """Reads speaker turns from RTTM, and assigns words to turns.

    A word belongs to the turn with which it overlaps most, or to the nearest turn if it overlaps
    none. Turns without words have no text.

    Args:
        path: The path of the `.rttm` file of one recording.
        words: A `.ctm` file, a CSV file with the columns `start`, `end` and `word`, or triples of
            these.
        recording: The path of the audio or video file.
        video: Whether the recording has video.
        split: The split of the conversation.

    Raises:
        TableError: If a line is invalid; it names the line.
        OSError: If a file cannot be read.
    """
    turns = _read_turns(Path(path))
    assigned: list[list[Word]] = [[] for _ in turns]
    for word in sorted(_read_words(words)):
        best = max(range(len(turns)), key=lambda turn: _overlap(turns[turn][:2], word))
        assigned[best].append(word)
    texts = [" ".join(word for _, _, word in own) or None for own in assigned]
    return timed_table(
        [
            (speaker, start, end, text)
            for (start, end, speaker), text in zip(turns, texts, strict=True)
        ],
        path,
        recording,
        video,
        split,
    )


def _overlap(turn: tuple[float, float], word: Word) -> float:
    """Returns the overlap in seconds, or minus the gap if there is no overlap."""
    return min(turn[1], word[1]) - max(turn[0], word[0])


def _read_turns(path: Path) -> list[tuple[float, float, str]]:
    turns, files, problems = [], set(), []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        cells = line.split()
        if not cells or cells[0] != "SPEAKER":  # other types are not turns
            continue
        times = [_number(cell) for cell in cells[3:5]]
        if len(cells) < 8 or not all(math.isfinite(time) for time in times):
            problems.append(f"{path}, line {number}: must be a turn of RTTM, but is {line!r:.80}.")
            continue
        files.add(cells[1])
        turns.append((times[0], times[0] + times[1], cells[7]))
    if len(files) > 1:
        problems.append(f"{path}: must be of one recording, but is of {sorted(files)}.")
    if not turns and not problems:
        problems.append(f"{path}: must have a turn, but has none.")
    if problems:
        raise TableError(problems)
    return sorted(turns)


def _read_words(words: str | PathLike[str] | Iterable[Word]) -> list[Word]:
    if not isinstance(words, str | PathLike):
        return list(words)
    text = read_text(words)
    if Path(words).suffix.lower() == ".csv":
        cells = [
            (row["start"], row["end"], row["word"])
            for row in read_columns(text, str(words), ("start", "end", "word"))
        ]
        found = [(_number(start), _number(end), word.strip()) for start, end, word in cells]
    else:  # recording, channel, start, duration, word, and optionally a confidence
        lines = [line.split() for line in text.splitlines() if line.strip()]
        lines = [line if len(line) >= 5 else ["", "", "", "", ""] for line in lines]
        found = [(_number(c[2]), _number(c[2]) + _number(c[3]), c[4]) for c in lines]
    wrong = [n for n, (start, end, _) in enumerate(found, 1) if not start <= end]
    if wrong:
        raise TableError([f"{words}: must have start, end and a word, but not in row {wrong[0]}."])
    return found


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
