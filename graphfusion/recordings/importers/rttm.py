"""Imports speaker turns in RTTM, the format of diarisation, combined with timed words."""

import math
from collections.abc import Iterable
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from graphfusion._utils.warn import warn
from graphfusion.recordings.importers.rows import read_columns, read_text, timed_table
from graphfusion.recordings.problems import TableError

if TYPE_CHECKING:
    import pandas as pd

Word = tuple[float, float, str]

_LATEST = 10.0  # seconds from the end of the last turn to the last word; more is another unit


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
    none. Turns without words have no text. Words that begin
    more than 10 s after the last turn are warned of.

    Args:
        path: The path of the `.rttm` file of one recording.
        words: A `.ctm` file, a CSV file with the columns `start`, `end` and `word`, or triples of
            these.
        recording: The path of the audio or video file.
        video: Whether the recording has video.
        split: The split of the conversation.

    Raises:
        TableError: If a line is invalid; it names the line. If most words begin too late.
        TypeError: If `words` are not triples of two numbers and a string.
        ValueError: If a word of `words` ends before it starts.
        OSError: If a file cannot be read.
    """
    turns = _read_turns(Path(path))
    timed = sorted(_read_words(words))
    _check_unit(timed, turns, str(words) if isinstance(words, str | PathLike) else "words")
    assigned: list[list[Word]] = [[] for _ in turns]
    for word in timed:
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


def _check_unit(words: list[Word], turns: list[tuple[float, float, str]], name: str) -> None:
    """Refuses words in milliseconds, nearly all of which the last turn would get."""
    end = max(end for _, end, _ in turns)
    late = [word for word in words if word[0] > end + _LATEST]
    if late:
        start, _, text = late[0]
        message = (
            f"{name}: words must begin at most {_LATEST:g} s after the end of the last turn, at "
            f"{end:g} s, but {text!r} begins at {start:g} s, one of {len(late)} such words"
        )
        if 2 * len(late) > len(words):
            raise TableError([f"{message}; times must be in seconds."])
        warn(f"{message}; they count for the last turn.")


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
        return _checked(words)
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


def _checked(words: Iterable[object]) -> list[Word]:
    found: list[Word] = []
    for number, each in enumerate(words, 1):
        match each:
            case [Real() as start, Real() as end, str() as word]:
                found.append((float(start), float(end), word))
            case _:
                raise TypeError(
                    "words must be triples of a start and an end in seconds and a word, such as "
                    f"(0.5, 0.8, 'yes'), but word {number} is {each!r:.80}."
                )
        if not found[-1][0] <= found[-1][1]:
            raise ValueError(f"words must end after they start, but word {number} is {each!r:.80}.")
    return found


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
