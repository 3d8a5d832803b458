"""Imports MMSA's `label.csv` (Mao et al., ACL 2022) of MOSI, MOSEI and CH-SIMS."""

import math
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from graphfusion.recordings.importers.rows import numbered_table
from graphfusion.recordings.text_files import parse_csv, read_text

if TYPE_CHECKING:
    import pandas as pd

_SPLITS = {"train": "train", "valid": "dev", "test": "test"}


def read_mmsa(
    path: str | PathLike[str],
    clips: str | PathLike[str] | None = None,
    *,
    label: Literal["label", "annotation"] = "label",
) -> "pd.DataFrame":
    """Reads a `label.csv` as a table, with one conversation per video and split.

    The clips of a video may be in several splits, as in CH-SIMS. Those of one split form a
    conversation, such as "train_aqgy3", sorted by `clip_id`. All utterances have the speaker "?",
    since the file names none.

    Args:
        path: The path of `label.csv`.
        clips: The folder of the clips, `VIDEO_ID/CLIP_ID.mp4`; None: text only.
        label: "label", the score (pass `classes=()` to :func:`extract`), or "annotation", the
            class.

    Raises:
        TableError: If a column is missing.
        ValueError: If a split is not train, valid or test, or a score is invalid.
        OSError: If the file cannot be read.
    """
    rows = []
    names = ("video_id", "clip_id", "text", label, "mode")
    frame = parse_csv(read_text(path), str(path), names)
    for number, row in enumerate(frame.to_dict("records"), 1):
        if row["mode"] not in _SPLITS:
            wrong = f"mode must be one of {list(_SPLITS)}, but is {row['mode']!r}"
            raise ValueError(f"{path}, row {number}: {wrong}.")
        split = _SPLITS[row["mode"]]
        clip = None
        if clips is not None:
            clip = str((Path(clips) / row["video_id"] / f"{row['clip_id']}.mp4").absolute())
        rows.append(
            (
                row["clip_id"],
                {
                    "conversation": f"{split}_{row['video_id']}",
                    "speaker": "?",
                    "text": row["text"],
                    "audio": clip,
                    "video": clip,
                    "label": _score(path, number, row[label]) if label == "label" else row[label],
                    "split": split,
                },
            )
        )
    return numbered_table(rows)


def _score(path: str | PathLike[str], number: int, text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.inf
    if math.isinf(score):
        wrong = f"label must be a finite number, or nan where missing, but is {text!r}"
        raise ValueError(f"{path}, row {number}: {wrong}.")
    return score
