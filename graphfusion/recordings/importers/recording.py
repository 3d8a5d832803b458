"""Reads a new recording as a table, to predict it."""

from collections.abc import Collection
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from graphfusion.recordings.extractors.protocol import Need
from graphfusion.recordings.importers.subtitles import read_subtitles
from graphfusion.recordings.media.probe import lacks
from graphfusion.recordings.table import SUFFIXES, read_table

if TYPE_CHECKING:
    import pandas as pd


def read_recording(
    recording: "str | PathLike[str] | pd.DataFrame",
    subtitles: str | PathLike[str] | None,
    needs: Collection[Need],
) -> "pd.DataFrame":
    """Reads a recording with subtitles, or a table of recordings, without their labels.

    Args:
        recording: An audio or video file, or a table, see :func:`read_table`.
        subtitles: A `.srt` or `.vtt` file; None: `recording` is a table.
        needs: What the extractors need. A recording without such a stream lacks the modality.

    Raises:
        TypeError: If `recording` is no file, but subtitles are given.
        ValueError: If it is no table, but subtitles are not given.
        TableError: If the table or the subtitles are invalid.
        OSError: If a file cannot be read.
    """
    named = isinstance(recording, str | PathLike)
    if subtitles is None:
        if named and Path(recording).suffix not in SUFFIXES:
            raise ValueError(
                f"recording must be a table ({' or '.join(SUFFIXES)}, or a frame) if there are no "
                f"subtitles, but got {recording}."
            )
        table = read_table(recording)
    elif not named:
        raise TypeError(
            "recording must be a file where subtitles are given, but got "
            f"{type(recording).__name__}."
        )
    else:
        path = str(recording)
        video = "video" in needs and not lacks(path, "video")
        table = read_subtitles(subtitles, path, video=video)
        if "audio" in needs and lacks(path, "audio"):
            table["audio"] = None
    table["label"], table["split"] = None, "train"  # not used for predictions
    return table
