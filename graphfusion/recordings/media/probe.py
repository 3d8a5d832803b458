"""Probes whether a media file can be read, and its duration."""

from pathlib import Path

from graphfusion.recordings.media.frames import FrameReader
from graphfusion.recordings.media.sound import open_sound

#: The message of :func:`probe` if there is no file.
MISSING = "no such file"


def lacks(path: str, need: str) -> bool:
    """Returns whether a media file can be read, but has no stream of audio, or of video."""
    try:
        with (open_sound if need == "audio" else FrameReader)(path):
            return False
    except ValueError:
        return True
    except OSError:  # which is another problem
        return False


def probe(path: str, need: str) -> float | str:
    """Opens a media file and decodes the beginning of its audio or video.

    Args:
        path: The path of the file.
        need: "audio" or "video".

    Returns:
        The duration in seconds, or an error message.
    """
    if not Path(path).is_file():
        return MISSING
    try:
        if need == "audio":
            with open_sound(path) as sound:
                sound.read(0, 0.1)
                return sound.measure()
        with FrameReader(path) as frames:
            next(frames.read(0, None, rate=1))
            return frames.measure()
    except StopIteration:
        return "it must have a frame, but has none"
    except (OSError, ValueError) as error:
        return str(error).removeprefix(f"{path}: ")
