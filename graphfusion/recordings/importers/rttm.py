"""Imports speaker turns in RTTM, the format of diarisation, combined with timed words."""

import math
from collections.abc import Iterable
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from graphfusion._utils.warn import warn
from graphfusion.recordings.importers.rows import timed_table
from graphfusion.recordings.problems import TableError
from graphfusion.recordings.text_files import parse_csv, read_text

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
    none. Turns without words have no text. Words that begin more than 10 s after the last turn are
    warned of.

    Args:
        path: The path of the `.rttm` file of one recording.
        words: A `.ctm` file, a CSV file with the columns `start`, `end` and `word`, or triples of
            these.
        recording: The path of the audio or video file.
        video: Whether the recording has video.
        split: The split of the conversation.

    Raises:
        TableError: If a line is invalid, or a word ends before it starts; it names the line or row.
            If most words begin too late.
        TypeError: If `words` are not triples of two numbers and a string.
        OSError: If a file cannot be read.
    """
    turns = _read_turns(path)
    timed, name = _read_words(words)
    _check_unit(timed, max(end for _, end, _ in turns), name)
    texts: list[list[str]] = [[] for _ in turns]
    for start, end, word in timed:
        # Without an overlap, this is minus the gap.
        overlaps = [min(last, end) - max(first, start) for first, last, _ in turns]
        texts[overlaps.index(max(overlaps))].append(word)
    whole = [
        (speaker, start, end, " ".join(own) or None)
        for (start, end, speaker), own in zip(turns, texts, strict=True)
    ]
    return timed_table(whole, path, recording, video, split)


def _check_unit(words: list[Word], end: float, name: str) -> None:
    """Refuses words in milliseconds, nearly all of which the last turn would get."""
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


def _read_turns(path: str | PathLike[str]) -> list[tuple[float, float, str]]:
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


def _read_words(words: str | PathLike[str] | Iterable[Word]) -> tuple[list[Word], str]:
    """Returns the words in order, and their name for error messages."""
    name = "words"
    if not isinstance(words, str | PathLike):
        found = [_check_word(number, word) for number, word in enumerate(words, 1)]
    elif Path(name := str(words)).suffix.lower() == ".csv":
        frame = parse_csv(read_text(name), name, columns := ["start", "end", "word"])
        rows = frame[columns].itertuples(index=False)
        found = [(_number(start), _number(end), word.strip()) for start, end, word in rows]
    else:  # recording, channel, start, duration, word, and optionally a confidence
        lines = [line.split() for line in read_text(name).splitlines() if line.strip()]
        lines = [line if len(line) >= 5 else [""] * 5 for line in lines]
        found = [(_number(c[2]), _number(c[2]) + _number(c[3]), c[4]) for c in lines]
    for number, (start, end, _) in enumerate(found, 1):
        if not start <= end:
            rule = "words must have a start, an end after it, and a text"
            raise TableError([f"{name}: {rule}, but not in row {number}."])
    return sorted(found), name


def _check_word(number: int, word: object) -> Word:
    match word:
        case [Real() as start, Real() as end, str() as text]:
            return float(start), float(end), text
    raise TypeError(
        "words must be triples of a start and an end in seconds and a word, such as "
        f"(0.5, 0.8, 'yes'), but word {number} is {word!r:.80}."
    )


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
