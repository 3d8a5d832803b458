"""Annotations of Praat (`.TextGrid`): a tier of intervals is a speaker."""

import re
from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING

from graphfusion.recordings.importers.rows import read_text, timed_table

if TYPE_CHECKING:
    import pandas as pd

# What a TextGrid has besides names of its fields, in its long and its short form.
_VALUE = re.compile(r'"((?:[^"]|"")*)"|(?<![\w\[.-])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\].])')


def read_textgrid(
    path: str | PathLike[str],
    recording: str | PathLike[str] | None = None,
    *,
    video: bool = False,
    split: str = "train",
) -> "pd.DataFrame":
    """Reads a `.TextGrid` of Praat, long or short: each interval with text is an utterance.

    Args:
        path: The file. Its tiers of intervals are named by the speakers; tiers of points are none.
        recording: The file of sound, or of sound and video.
        video: Whether it has pictures, too.
        split: Its split.

    Raises:
        ValueError: If it is no TextGrid.
        OSError: If it cannot be read.
    """
    values = _VALUE.findall(read_text(path))
    cells = iter([float(number) if number else text for text, number in values])
    try:
        said = [each for each in _intervals(cells) if each[3]]
    except (RuntimeError, ValueError) as error:  # the first: it ended within an interval
        raise ValueError(f"{path} must be a TextGrid, but is none, or ends early.") from error
    if not said:
        raise ValueError(f"{path} must have an interval with text, but has none.")
    return timed_table(said, path, recording, video, split)


def _intervals(cells: Iterator[float | str]) -> Iterator[tuple[str, float, float, str]]:
    """Tier, start, end and text of each interval."""
    if [next(cells), next(cells)] != ["ooTextFile", "TextGrid"]:
        raise ValueError
    _, _, tiers = next(cells), next(cells), int(next(cells))
    for _ in range(tiers):
        kind, speaker, _, _ = next(cells), next(cells), next(cells), next(cells)
        for _ in range(int(next(cells))):
            start, end = next(cells), next(cells)
            if kind == "IntervalTier":  # else they were a point's time and text
                text = str(next(cells)).replace('""', '"')
                yield str(speaker), float(start), float(end), " ".join(text.split())
