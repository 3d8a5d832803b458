"""Imports the folders of the IEMOCAP release (Busso et al., 2008)."""

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphfusion.recordings.importers.rows import to_table
from graphfusion.recordings.problems import TableError
from graphfusion.recordings.text_files import read_text

if TYPE_CHECKING:
    import pandas as pd

_LINE = re.compile(r"^(Ses0(\d)\w+_([FM])\w*\d+) \[(\d+\.\d+)-(\d+\.\d+)\]: ?(.*)$")
_ASIDE = re.compile(r"^[FM]: ")  # a remark without times
_LABEL = re.compile(r"^\[\d+\.\d+ - \d+\.\d+\]\t(\S+)\t(\w+)\t", re.MULTILINE)

#: The six emotions that are usually predicted; other utterances have no label.
EMOTIONS = {
    "hap": "happy",
    "sad": "sad",
    "neu": "neutral",
    "ang": "angry",
    "exc": "excited",
    "fru": "frustrated",
}


def read_iemocap(
    folder: str | PathLike[str],
    emotions: Mapping[str, str] = EMOTIONS,
    *,
    test_session: int = 5,
) -> "pd.DataFrame":
    """Reads the transcriptions, labels and media files of `Session1` to `Session5`.

    Labels come from `EmoEvaluation`. Audio and video are files of whole dialogues, with the times
    of each utterance; missing files are left out.

    Args:
        folder: The folder with the sessions.
        emotions: `{abbreviation: class}`; utterances with other emotions have no label.
        test_session: The session of the split "test"; all others are "train".

    Raises:
        FileNotFoundError: If there is no transcription.
        ValueError: If `test_session` is not a number from 1 to 5.
        TableError: If a line of a transcription cannot be parsed.
        OSError: If a file cannot be read.
    """
    if test_session not in range(1, 6):
        raise ValueError(f"test_session must be a number from 1 to 5, but got {test_session!r}.")
    files = sorted(Path(folder).glob("Session?/dialog/transcriptions/Ses*.txt"))
    if not files:
        raise FileNotFoundError(
            f"folder must have Session1/dialog/transcriptions and so on, but {folder} has none."
        )
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for path in files:
        dialog, name = path.parent.parent, path.stem
        labels = dict(_LABEL.findall(read_text(dialog / "EmoEvaluation" / path.name)))
        media = {
            "audio": _existing(dialog / "wav" / f"{name}.wav"),
            "video": _existing(dialog / "avi/DivX" / f"{name}.avi"),
        }
        for number, line in enumerate(read_text(path).splitlines(), 1):
            if match := _LINE.match(line):
                utterance, session, sex, start, end, text = match.groups()
                row = {
                    "conversation": name,
                    "speaker": f"Ses0{session}{sex}",
                    "text": text,
                    "start": float(start),
                    "end": float(end),
                    "label": emotions.get(labels.get(utterance, "")),
                    "split": "test" if int(session) == test_session else "train",
                }
                rows.append(row | media)
            elif line.strip() and not _ASIDE.match(line):
                where = f"{path}, line {number}"
                problems.append(f"{where}: must be an utterance, but is {line!r:.80}.")
    if problems:
        raise TableError(problems)
    return to_table(sorted(rows, key=lambda row: (row["conversation"], row["start"])))


def _existing(path: Path) -> str | None:
    return str(path.absolute()) if path.is_file() else None
