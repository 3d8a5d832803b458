"""Imports subtitles in SubRip (`.srt`) and WebVTT (`.vtt`)."""

import html
import re
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from graphfusion._utils.warn import warn
from graphfusion.recordings.importers.rows import timed_table
from graphfusion.recordings.problems import TableError
from graphfusion.recordings.text_files import read_text

if TYPE_CHECKING:
    import pandas as pd

_TIME = r"((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})"
_TIMING = re.compile(rf"^\s*{_TIME}\s+-->\s+{_TIME}(?:\s.*)?$")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>(.*?)(?=<v[.\s]|</v>|$)", re.DOTALL)
_LABEL = re.compile(r"^\[([^\]]+)\]:\s*")  # the speaker label of WhisperX
_NAME = re.compile(r"[^\W\d_]+:(?=\s|$)")  # "Ann: Hello", which is no markup
_TAG = re.compile(r"</?[a-zA-Z][^>]*>|<\d[\d:.]*>|\{\\[^}]*\}")
_BLOCKS = ("WEBVTT", "NOTE", "STYLE", "REGION")
_FLASH = 0.05  # seconds; no subtitle to read is shorter

Cue = tuple[float, float, list[str]]

#: The speaker of subtitles without a speaker label.
UNKNOWN = "?"


def read_subtitles(
    path: str | PathLike[str],
    recording: str | PathLike[str] | None = None,
    *,
    video: bool = False,
    conversation: str | None = None,
    split: str = "train",
) -> "pd.DataFrame":
    """Reads the subtitles of one conversation as a table, one row each, even without text.

    The speaker is the voice tag, `<v Ann>`, or the label of WhisperX, `[SPEAKER_00]:`. All other
    subtitles have the speaker "?", and so have words beside a voice. A subtitle with several voices
    becomes one row per voice, with the same times. Lines that roll up are read once, as in
    YouTube's automatic captions.

    Args:
        path: The path of a `.srt` or `.vtt` file.
        recording: The path of the audio or video file.
        video: Whether the recording has video.
        conversation: The name of the conversation; None: the name of the imported file.
        split: The split of the conversation.

    Raises:
        TableError: If a block is not a subtitle; it names the line.
        ValueError: If the file has another suffix.
        OSError: If the file cannot be read.

    Warns:
        UserWarning: If no subtitle has a speaker, and at least two begin with a name, as "Ann:"; or
            if most repeat the words of the one before.
    """
    path = Path(path)
    if path.suffix.lower() not in (".srt", ".vtt"):
        raise ValueError(f"path must be a .srt or .vtt file, but got {path}.")
    found = parse_subtitles(read_text(path), str(path))
    _warn_of_names(found, path)
    _warn_of_repeats(found, path)
    return timed_table(found, path, recording, video, conversation, split)


def _warn_of_names(found: list[tuple[str, float, float, str]], path: Path) -> None:
    if any(speaker != UNKNOWN for speaker, *_ in found):
        return
    names = [match.group() for *_, text in found if (match := _NAME.match(text))]
    if len(names) > 1:
        warn(
            f"{path}: subtitles must have voice tags, such as <v Ann>, to have speakers, but all "
            f"speakers are {UNKNOWN!r}, and {len(names)} subtitles begin with a name, the first "
            f"with {names[0]!r}, which stays in the text."
        )


def _warn_of_repeats(found: list[tuple[str, float, float, str]], path: Path) -> None:
    repeats = sum(one[3] == other[3] != "" for one, other in pairwise(found))
    if 2 * repeats > len(found):
        warn(
            f"{path}: subtitles must be utterances, but {repeats} of {len(found)} repeat the words "
            "of the one before, as where a speech recogniser highlights each word."
        )


def parse_subtitles(text: str, name: str) -> list[tuple[str, float, float, str]]:
    """Parses subtitles to a list of `(speaker, start, end, text)`.

    Raises:
        TableError: If a block is not a subtitle.
    """
    cues: list[Cue] = []
    problems = []
    for number, block in _blocks(text):
        timing = next((match for line in block[:2] if (match := _TIMING.match(line))), None)
        first = 0 if timing is None else block.index(timing[0]) + 1
        wrong = [place for place, line in enumerate(block) if place >= first and "-->" in line]
        if wrong:  # an empty line lacks before it, or it is no timing
            line = f"{name}, line {number + wrong[0]}"
            rule = "times must be as in 00:01.000 --> 00:02.000, after an empty line"
            problems.append(f"{line}: {rule}, but the line is {block[wrong[0]]!r:.80}.")
        elif timing is not None:
            cues.append((_seconds(timing[1]), _seconds(timing[2]), block[first:]))
        elif block[0].lstrip("\ufeff").startswith(_BLOCKS):
            continue
        elif cues and not cues[-1][2]:  # YouTube's captions may begin with a blank line
            cues[-1][2].extend(block)
        else:
            problems.append(f"{name}, line {number}: must be a subtitle, but is {block[0]!r:.80}.")
    if not cues and not problems:
        problems.append(f"{name}: must have a subtitle, but has none.")
    if problems:
        raise TableError(problems)
    return [
        (speaker, start, end, words)
        for start, end, lines in _unroll(cues)
        for speaker, words in _voices("\n".join(lines))
    ]


def _unroll(cues: list[Cue]) -> list[Cue]:
    """Drops the lines that a roll-up caption repeats from the one before, as YouTube writes them.

    Such files have captions of 10 ms, which only repeat lines. Other files keep repeated lines.
    """
    whole: list[Cue] = []
    before: list[str] = []
    rolls = False
    for start, end, block in cues:
        lines = [line for line in block if _plain(line)]
        plain = [_plain(line) for line in lines]
        again = max((n for n in range(1, len(plain) + 1) if before[-n:] == plain[:n]), default=0)
        rolls |= 0 < again == len(plain) and end - start < _FLASH
        if again < len(plain) or not plain:
            whole.append((start, end, lines[again:]))
        before = plain
    return whole if rolls else cues


def _blocks(text: str) -> list[tuple[int, list[str]]]:
    """Splits text at empty lines; returns the number of each block's first line and its lines."""
    blocks: list[tuple[int, list[str]]] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            inside = False
        elif inside:
            blocks[-1][1].append(line)
        else:
            blocks.append((number, [line]))
            inside = True
    return blocks


def _seconds(clock: str) -> float:
    parts = reversed(clock.replace(",", ".").split(":"))
    return sum(float(part) * 60.0**power for power, part in enumerate(parts))


def _voices(text: str) -> list[tuple[str, str]]:
    """Splits the text of a subtitle into `(speaker, text)` for each voice."""
    voices, done = [], 0
    for match in _VOICE.finditer(text):
        voices += [(UNKNOWN, text[done : match.start()]), (match[1].strip(), match[2])]
        done = match.end()
    if voices:
        voices.append((UNKNOWN, text[done:]))
        # Between voices there may be dashes.
        voices = [(n, w) for n, w in voices if n != UNKNOWN or any(map(str.isalnum, _plain(w)))]
    else:
        label = _LABEL.match(text)
        voices = [(label[1], text[label.end() :]) if label else (UNKNOWN, text)]
    return [(html.unescape(name) or UNKNOWN, _plain(words)) for name, words in voices]


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", text)).split())
