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
    conversation: str | None = None,
    split: str = "train",
) -> "pd.DataFrame":
    """Reads speaker turns from RTTM, and assigns words to turns.

    A word belongs to the turn with which it overlaps most, or to the nearest turn if it overlaps
    none. Turns without words have no text. Words that begin more than 10 s after the last turn are
    warned of.

    Args:
        path: The path of the `.rttm` file of one recording.
        words: A `.ctm` file, a CSV file with the columns `start`, `end` and `word`, or triples of
            these. Of a `.ctm` file of several recordings, the words of this one are read.
        recording: The path of the audio or video file.
        video: Whether the recording has video.
        conversation: The name of the conversation; None: the name of the imported file.
        split: The split of the conversation.

    Raises:
        TableError: If a line is invalid, or a word ends before it starts; it names the line or row.
            If most words begin too late.
        TypeError: If `words` are not triples of two numbers and a string.
        OSError: If a file cannot be read.
    """
    turns, call = _read_turns(path)
    timed, name = _read_words(words, call)
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
    return timed_table(whole, path, recording, video, conversation, split)


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


def _read_turns(path: str | PathLike[str]) -> tuple[list[tuple[float, float, str]], str]:
    """Returns the turns in order, and the name of their recording."""
    turns, files, problems = [], set(), []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        cells = line.split()
        if not cells or cells[0] != "SPEAKER":  # other types are not turns
            continue
        times = [_number(cell) for cell in cells[3:5]]
        # There are ten, the last two of which may lack; more are of a name with spaces.
        if not 8 <= len(cells) <= 10 or not all(math.isfinite(time) for time in times):
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
    return sorted(turns), files.pop()


def _read_words(words: str | PathLike[str] | Iterable[Word], call: str) -> tuple[list[Word], str]:
    """Returns the words of a recording in order, and their name for error messages."""
    name, others = "words", set()
    if not isinstance(words, str | PathLike):
        found = [_check_word(number, word) for number, word in enumerate(words, 1)]
    elif Path(name := str(words)).suffix.lower() == ".csv":
        frame = parse_csv(read_text(name), name, columns := ["start", "end", "word"])
        cells = frame[columns].itertuples(index=False)
        found = [(_number(start), _number(end), word.strip()) for start, end, word in cells]
    else:  # recording, channel, start, duration, word, and optionally a confidence
        lines = [line.split() for line in read_text(name).splitlines() if line.strip()]
        lines = [line if len(line) >= 5 else [call, *[""] * 4] for line in lines]
        found = [(_number(c[2]), _number(c[2]) + _number(c[3]), c[4]) for c in lines]
        calls = {line[0] for line in lines}
        if len(calls) > 1 and call not in calls:
            several = f"must be of recording {call!r}, as the turns, but is of {sorted(calls)}"
            raise TableError([f"{name}: {several}."])
        if len(calls) > 1:  # the name of a single one may differ
            others = {row for row, line in enumerate(lines) if line[0] != call}
    whole = [(row, word) for row, word in enumerate(found, 1) if row - 1 not in others]
    for row, (start, end, word) in whole:
        if not start <= end or not word.strip():
            rule = "words must have a start, an end after it, and a text"
            raise TableError([f"{name}: {rule}, but not in row {row}."])
    # Words of one start keep their order.
    return sorted((word for _, word in whole), key=lambda word: word[0]), name


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
