"""Annotations of ELAN (`.eaf`): a tier is a speaker."""

from os import PathLike
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from graphfusion.recordings.importers.rows import read_text, timed_table

if TYPE_CHECKING:
    import pandas as pd


def read_elan(
    path: str | PathLike[str],
    recording: str | PathLike[str] | None = None,
    *,
    video: bool = False,
    split: str = "train",
) -> "pd.DataFrame":
    """Reads an `.eaf` of ELAN: each annotation with times and text is an utterance.

    The speaker is the tier's participant or, if it has none, its name. Tiers whose annotations
    refer to others' are about utterances, and none themselves.

    Args:
        path: The file.
        recording: The file of sound, or of sound and video.
        video: Whether it has pictures, too.
        split: Its split.

    Raises:
        ValueError: If it is none, or an annotation has no times.
        OSError: If it cannot be read.
    """
    try:
        root = ElementTree.fromstring(read_text(path).encode())  # noqa: S314 - expat bounds what entities become
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} must be XML, but: {error}.") from error
    slots = {
        slot.get("TIME_SLOT_ID"): float(value) / 1000
        for slot in root.iter("TIME_SLOT")
        if (value := slot.get("TIME_VALUE")) is not None
    }
    said = []
    for tier in root.iter("TIER"):
        speaker = tier.get("PARTICIPANT") or tier.get("TIER_ID") or "?"
        for each in tier.iter("ALIGNABLE_ANNOTATION"):
            ends = [slots.get(each.get(f"TIME_SLOT_REF{n}")) for n in (1, 2)]
            if ends[0] is None or ends[1] is None:
                raise ValueError(
                    f"{path}: annotation {each.get('ANNOTATION_ID')} must have times, but has none."
                )
            text = each.findtext("ANNOTATION_VALUE") or ""
            if text.strip():
                said.append((speaker, ends[0], ends[1], " ".join(text.split())))
    if not said:
        raise ValueError(f"{path} must have an annotation with text, but has none.")
    return timed_table(said, path, recording, video, split)
