"""Imports annotations of Praat (`.TextGrid`), with one interval tier per speaker."""

import re
from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING

from graphfusion.recordings.importers.rows import timed_table
from graphfusion.recordings.text_files import read_text

if TYPE_CHECKING:
    import pandas as pd

# Matches the strings and numbers of a TextGrid, in its long and its short form.
_VALUE = re.compile(r'"((?:[^"]|"")*)"|(?<![\w\[.-])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\].])')


def read_textgrid(
    path: str | PathLike[str],
    recording: str | PathLike[str] | None = None,
    *,
    video: bool = False,
    conversation: str | None = None,
    split: str = "train",
) -> "pd.DataFrame":
    """Reads a `.TextGrid` of Praat, long or short: each interval with text is an utterance.

    Args:
        path: The path of the file. The names of interval tiers are the speakers; point tiers are
            ignored.
        recording: The path of the audio or video file.
        video: Whether the recording has video.
        conversation: The name of the conversation; None: the name of the imported file.
        split: The split of the conversation.

    Raises:
        ValueError: If the file is not a TextGrid.
        OSError: If it cannot be read.
    """
    values = _VALUE.findall(read_text(path))
    cells = iter([float(number) if number else text for text, number in values])
    try:
        utterances = [each for each in _intervals(cells) if each[3]]
    except (RuntimeError, ValueError) as error:  # RuntimeError: the file ended within an interval
        raise ValueError(f"{path} must be a complete TextGrid, but is not.") from error
    if not utterances:
        raise ValueError(f"{path} must have an interval with text, but has none.")
    return timed_table(utterances, path, recording, video, conversation, split)


def _intervals(cells: Iterator[float | str]) -> Iterator[tuple[str, float, float, str]]:
    """Yields `(tier, start, end, text)` of each interval."""
    if next(cells) not in ("ooTextFile", "ooTextFile short") or next(cells) != "TextGrid":
        raise ValueError
    _, _, tiers = next(cells), next(cells), int(next(cells))
    for _ in range(tiers):
        kind, speaker, _, _ = next(cells), next(cells), next(cells), next(cells)
        for _ in range(int(next(cells))):
            start, end = next(cells), next(cells)
            if kind == "IntervalTier":  # in a point tier, they are the time and the text
                text = str(next(cells)).replace('""', '"')
                yield str(speaker), float(start), float(end), " ".join(text.split())
