"""Probes whether a media file can be read, and its duration."""

from graphfusion.recordings.media.frames import FrameReader
from graphfusion.recordings.media.sound import open_sound


def probe(path: str, need: str) -> float | str:
    """Opens a media file and decodes the beginning of its audio or video.

    Args:
        path: The path of the file.
        need: "audio" or "video".

    Returns:
        The duration in seconds, or an error message.
    """
    try:
        if need == "audio":
            with open_sound(path) as sound:
                sound.read(0, 0.1)
                return sound.duration
        with FrameReader(path) as frames:
            next(frames.read(0, None, rate=1))
            return frames.duration
    except StopIteration:
        return "it must have a frame, but has none"
    except (OSError, ValueError) as error:
        return str(error).removeprefix(f"{path}: ")
