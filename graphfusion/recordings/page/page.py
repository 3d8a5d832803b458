"""Renders the page of a recording as one self-contained HTML file, without external resources."""

import mimetypes
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphfusion._utils.files import read_regular

if TYPE_CHECKING:
    import pandas as pd

_COLOURS = 8
_LARGEST = 2**28  # maximum bytes of a recording; browsers refuse larger embedded files
_FOLDER = Path(__file__).parent


def make_page(frame: "pd.DataFrame", recording: str | PathLike[str], columns: Sequence[str]) -> str:
    """Renders the HTML page of one recording.

    Args:
        frame: The predictions, with `start` and `end` for every utterance.
        recording: The path of the audio or video file to embed.
        columns: The frame's columns of classes or scores.

    Raises:
        ValueError: If an utterance has no times, or the file has over 256 MiB.
        OSError: If the file cannot be read.
    """
    rows: list[dict[str, Any]] = frame.to_dict("records")
    if any(row["start"] != row["start"] for row in rows):
        raise ValueError("start must be given for every utterance to be on a timeline, but is not.")
    seconds = max(float(row["end"]) for row in rows)
    names = list(columns)
    script = (_FOLDER / "page.js").read_text(encoding="utf-8")
    checksum = b64encode(sha256(script.encode()).digest()).decode()
    parts = {
        "policy": "default-src 'none'; style-src 'unsafe-inline'; media-src data:; "
        f"script-src 'sha256-{checksum}'",
        "title": escape(Path(recording).name),
        "style": (_FOLDER / "page.css").read_text(encoding="utf-8"),
        "media": _media(Path(recording)),
        "legend": "".join(_legend(n, name) for n, name in enumerate(names)),
        "seconds": f"{seconds:.2f}",
        "speakers": "\n".join(_speaker(name, rows, names, seconds) for name in _speakers(rows)),
        "curves": "\n".join(_curve(n, name, rows, seconds) for n, name in enumerate(names)),
        "ticks": "".join(_tick(time, seconds) for time in _times(seconds)),
        "heads": "".join(f'<th scope="col">{escape(head)}</th>' for head in _heads(names)),
        "rows": "\n".join(_row(row, names) for row in rows),
        "script": script,
    }
    # The template is split first, so that inserted text is never parsed for placeholders.
    pieces = (_FOLDER / "page.html").read_text(encoding="utf-8").split("{{")
    filled = [parts[key] + rest for key, rest in (piece.split("}}", 1) for piece in pieces[1:])]
    return pieces[0] + "".join(filled)


def _media(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or "video/mp4"
    data = b64encode(read_regular(path, _LARGEST)).decode()
    tag = "audio" if kind.startswith("audio/") else "video"
    return f'<{tag} controls preload="auto" src="data:{kind};base64,{data}"></{tag}>'


def _speakers(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["speaker"] for row in rows))


def _legend(number: int, name: str) -> str:
    swatch = f'<span class="swatch c{number % _COLOURS}">{number + 1}</span>'
    return f"<li>{swatch} {escape(name)}</li>"


def _lane(name: str, content: str) -> str:
    title = escape(name)
    return (
        f'<div class="lane"><span class="name" title="{title}">{title}</span>'
        f'<div class="track">{content}</div></div>'
    )


def _speaker(speaker: str, rows: list[dict[str, Any]], names: Sequence[str], seconds: float) -> str:
    blocks = []
    for row in rows:
        if row["speaker"] != speaker:
            continue
        number = _top_class(row, names)
        predicted = _format_prediction(row["predicted"])
        words = row["text"] if isinstance(row["text"], str) else "no words"
        label = f"{_clock(row['start'])}, {speaker}: {predicted}. {words}. {_absence_note(row)}"
        blocks.append(
            f'<button class="c{number % _COLOURS}{" absent" if row["absent"] else ""}" '
            f'style="{_place(row, seconds)}" {_interval(row)} aria-label="{escape(label)}" '
            f'title="{escape(label)}">{number + 1} {escape(predicted)}</button>'
        )
    return _lane(speaker, "".join(blocks))


def _curve(number: int, name: str, rows: list[dict[str, Any]], seconds: float) -> str:
    values = [float(row[name]) for row in rows]
    low, high = min(0.0, *values), max(1.0, *values)
    bars = (
        f'<span class="bar c{number % _COLOURS}" style="{_place(row, seconds)}; '
        f'height: {100 * (value - low) / (high - low):.1f}%"></span>'
        for row, value in zip(rows, values, strict=True)
    )
    return _lane(f"{number + 1} {name}", "".join(bars))


def _row(row: dict[str, Any], names: Sequence[str]) -> str:
    number = _top_class(row, names)
    words = escape(row["text"]) if isinstance(row["text"], str) else ""
    start = _clock(row["start"])
    cells = [
        f'<button {_interval(row)} aria-label="Play from {start}">{start}</button>',
        escape(row["speaker"]),
        f'<span class="swatch c{number % _COLOURS}">{number + 1}</span> '
        f"{escape(_format_prediction(row['predicted']))}",
    ]
    kinds = ["number", "", ""]
    cells += [f"{float(row[name]):.2f}" for name in names]
    kinds += ["number"] * len(names)
    cells += [words, escape(row["absent"])]
    kinds += ["words", ""]
    whole = zip(cells, kinds, strict=True)
    return "<tr>" + "".join(f'<td class="{kind}">{cell}</td>' for cell, kind in whole) + "</tr>"


def _heads(names: Sequence[str]) -> list[str]:
    return ["start", "speaker", "predicted", *names, "words", "absent"]


def _top_class(row: dict[str, Any], names: Sequence[str]) -> int:
    """Returns the index of the most probable class, which determines an utterance's colour."""
    return max(range(len(names)), key=lambda n: float(row[names[n]]))


def _format_prediction(predicted: Any) -> str:
    return f"{predicted:.2f}" if isinstance(predicted, float) else str(predicted or "none")


def _absence_note(row: dict[str, Any]) -> str:
    return f"Absent: {row['absent']}." if row["absent"] else ""


def _interval(row: dict[str, Any]) -> str:
    return f'data-start="{float(row["start"])}" data-end="{float(row["end"])}"'


def _place(row: dict[str, Any], seconds: float) -> str:
    left, width = row["start"] / seconds, (row["end"] - row["start"]) / seconds
    return f"left: {100 * left:.3f}%; width: {100 * width:.3f}%"


def _times(seconds: float) -> list[float]:
    """Returns the times of the scale's ticks: every second, or every 5 s from 12 s on."""
    return [float(time) for time in range(0, int(seconds) + 1, 1 if seconds < 12 else 5)]


def _tick(time: float, seconds: float) -> str:
    return (
        f'<span class="tick" style="left: {100 * time / seconds:.3f}%">{_clock(time)[:-2]}</span>'
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"
