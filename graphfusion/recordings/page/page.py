"""Renders the page of a recording as one self-contained HTML file, without external resources."""

import mimetypes
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from graphfusion._utils.files import read_regular

if TYPE_CHECKING:
    import pandas as pd

_COLOURS = 8
LARGEST = 2**28  # maximum bytes of a recording; browsers refuse larger embedded files
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
    from jinja2 import Environment, StrictUndefined

    if frame["start"].isna().any():
        raise ValueError("start must be given for every utterance to be on a timeline, but is not.")
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters["clock"] = _clock
    script = _read("page.js")
    values = frame[list(columns)].astype(float)
    low, high = values.min().clip(upper=0), values.max().clip(lower=1)
    numbers = {
        "numbers": values.to_numpy().tolist(),
        "heights": (100 * (values - low) / (high - low)).to_numpy().tolist(),
        "top": values.to_numpy().argmax(1).tolist(),  # the most probable class is the colour
    }
    kind = mimetypes.guess_type(Path(recording).name)[0] or "video/mp4"
    return environment.from_string(_read("page.html")).render(
        title=Path(recording).name,
        style=_read("page.css"),
        script=script,
        checksum=b64encode(sha256(script.encode()).digest()).decode(),
        tag="audio" if kind.startswith("audio/") else "video",
        kind=kind,
        media=b64encode(read_regular(recording, LARGEST)).decode(),
        colours=_COLOURS,
        names=list(columns),
        seconds=float(frame["end"].max()),
        speakers=frame["speaker"].unique().tolist(),
        rows=frame.assign(**numbers).to_dict("records"),
    )


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"
