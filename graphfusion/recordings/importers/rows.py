"""Shared helpers of the importers: tables from rows, and from the utterances of one recording."""

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from graphfusion._utils.extras import require
from graphfusion.recordings.grouped import grouped
from graphfusion.recordings.table import COLUMNS, read_table

if TYPE_CHECKING:
    import pandas as pd


def to_table(rows: Iterable[Mapping[str, object]]) -> "pd.DataFrame":
    """Creates a table of utterances from rows `{column: cell}`."""
    require("recordings", "make a table")
    import pandas as pd

    return read_table(pd.DataFrame(list(rows), columns=list(COLUMNS), dtype=object))


def numbered_table(rows: Iterable[tuple[str, Mapping[str, object]]]) -> "pd.DataFrame":
    """Creates a table of utterances from `(number, row)`, with each conversation by its numbers.

    Where one of a conversation is no integer, its rows stay in their order.
    """
    whole = grouped((row["conversation"], (number, row)) for number, row in rows)
    for members in whole.values():
        if all(number.strip().isdecimal() for number, _ in members):
            members.sort(key=lambda member: int(member[0]))
    return to_table(row for members in whole.values() for _, row in members)


def timed_table(
    utterances: Iterable[tuple[str, float, float, str | None]],
    path: str | PathLike[str],
    recording: str | PathLike[str] | None,
    video: bool,
    conversation: str | None,
    split: str,
) -> "pd.DataFrame":
    """Creates a table of one recording's utterances, sorted by time.

    Args:
        utterances: `(speaker, start, end, text)` of each utterance.
        path: The path of the imported file.
        recording: The path of the audio or video file.
        video: Whether the recording has video.
        conversation: The conversation's id; None: the name of the imported file.
        split: The split of the conversation.
    """
    # Absolute, since relative paths would be relative to the table's file.
    file = None if recording is None else str(Path(recording).absolute())
    name = Path(path).stem if conversation is None else conversation
    own = {"conversation": name, "audio": file, "split": split}
    own |= {"video": file if video else None}
    names = ("speaker", "start", "end", "text")
    ordered = sorted(utterances, key=lambda each: each[1:3])
    return to_table(own | dict(zip(names, each, strict=True)) for each in ordered)
