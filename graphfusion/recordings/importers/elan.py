"""Imports annotations of ELAN (`.eaf`), with one tier per speaker."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from graphfusion.recordings.importers.rows import timed_table
from graphfusion.recordings.text_files import read_text

if TYPE_CHECKING:
    import pandas as pd


def read_elan(
    path: str | PathLike[str],
    recording: str | PathLike[str] | None = None,
    *,
    video: bool = False,
    conversation: str | None = None,
    split: str = "train",
) -> "pd.DataFrame":
    """Reads an `.eaf` file of ELAN: each annotation with times and text is an utterance.

    The speaker is the tier's participant or, without one, the tier's name. Tiers that depend on
    others, such as of single words, are ignored.

    Args:
        path: The path of the `.eaf` file.
        recording: The path of the audio or video file.
        video: Whether the recording has video.
        conversation: The name of the conversation; None: the name of the imported file.
        split: The split of the conversation.

    Raises:
        ValueError: If the file is not a valid `.eaf`, an annotation has no times, or the times are
            not those of the recording (`TIME_ORIGIN`).
        OSError: If the file cannot be read.
    """
    try:
        root = ElementTree.fromstring(read_text(path).encode())  # noqa: S314 - safe with expat
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} must be XML, but: {error}.") from error
    _check_origin(root, path, recording)
    slots = {
        slot.get("TIME_SLOT_ID"): float(value) / 1000
        for slot in root.iter("TIME_SLOT")
        if (value := slot.get("TIME_VALUE")) is not None
    }
    utterances = []
    for tier in root.iter("TIER"):
        if tier.get("PARENT_REF") is not None:
            continue
        speaker = tier.get("PARTICIPANT") or tier.get("TIER_ID") or "?"
        for each in tier.iter("ALIGNABLE_ANNOTATION"):
            ends = [slots.get(each.get(f"TIME_SLOT_REF{n}")) for n in (1, 2)]
            if ends[0] is None or ends[1] is None:
                raise ValueError(
                    f"{path}: annotation {each.get('ANNOTATION_ID')} must have times, but has none."
                )
            text = each.findtext("ANNOTATION_VALUE") or ""
            if text.strip():
                utterances.append((speaker, ends[0], ends[1], " ".join(text.split())))
    if not utterances:
        raise ValueError(f"{path} must have an annotation with text, but has none.")
    return timed_table(utterances, path, recording, video, conversation, split)


def _check_origin(
    root: ElementTree.Element, path: str | PathLike[str], recording: str | PathLike[str] | None
) -> None:
    """Refuses times that begin elsewhere in the recording, or in any medium if it is not named."""
    origins = {
        Path(each.get("MEDIA_URL", "")).name: each.get("TIME_ORIGIN", "0")
        for each in root.iter("MEDIA_DESCRIPTOR")
    }
    name = "" if recording is None else Path(recording).name
    for origin in [origins[name]] if name in origins else origins.values():
        if origin.strip("0"):
            raise ValueError(
                f"{path}: TIME_ORIGIN must be 0, so that times are those of the recording, but is "
                f"{origin}: remove the offset in ELAN."
            )
