"""Imports the tables of MELD (Poria et al., ACL 2019): one file per split."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from graphfusion._utils.files import read_regular
from graphfusion.recordings.importers.rows import numbered_table
from graphfusion.recordings.text_files import parse_csv

if TYPE_CHECKING:
    import pandas as pd


def read_meld(
    path: str | PathLike[str],
    clips: str | PathLike[str] | None = None,
    *,
    split: str,
    label: Literal["Emotion", "Sentiment"] = "Emotion",
) -> "pd.DataFrame":
    """Reads one of MELD's files `..._sent_emo.csv` as a table.

    Utterances are sorted by `Utterance_ID`. Dialogue numbers restart in each split, so ids include
    the split: "train_0". Bytes of Windows code page 1252 among the texts are repaired. The released
    training clip `dia125_utt3.mp4` is damaged, which :func:`check_table` reports. Set
    `table.loc[row - 1, ["audio", "video"]] = None` to mark it absent.

    Args:
        path: The path of the CSV file of a split.
        clips: The folder of its clips, `dia0_utt0.mp4` and so on; None: text only.
        split: The name of the split, "train", "dev" or "test".
        label: The column of labels.

    Raises:
        TableError: If a column is missing.
        OSError: If the file cannot be read.
    """
    rows = []
    names = ("Utterance", "Speaker", label, "Dialogue_ID", "Utterance_ID")
    for row in parse_csv(_decode(read_regular(path)), str(path), names).to_dict("records"):
        dialogue, utterance = row["Dialogue_ID"], row["Utterance_ID"]
        clip = None
        if clips is not None:
            clip = str((Path(clips) / f"dia{dialogue}_utt{utterance}.mp4").absolute())
        rows.append(
            (
                utterance,
                {
                    "conversation": f"{split}_{dialogue}",
                    "speaker": row["Speaker"],
                    "text": row["Utterance"].strip(),
                    "audio": clip,
                    "video": clip,
                    "label": row[label].strip(),
                    "split": split,
                },
            )
        )
    return numbered_table(rows)


def _decode(data: bytes) -> str:
    """Decodes UTF-8 that has characters of code page 1252 as bytes or as control characters."""
    text = data.decode("utf-8-sig", "surrogateescape")
    wrong = {0xDC00 + byte for byte in range(0x80, 0x100)} | set(range(0x80, 0xA0))
    table = {code: bytes([code & 0xFF]).decode("cp1252", "replace") for code in wrong}
    return text.translate(table)
