"""Whether a file can be read, and how long it is."""

from graphfusion.recordings.media.frames import FrameReader
from graphfusion.recordings.media.sound import open_sound


def probe(path: str, need: str) -> float | str:
    """Opens a file and decodes the beginning of its sound or pictures.

    Args:
        path: The file.
        need: "audio" or "video".

    Returns:
        Its duration in seconds, or what is wrong with it.
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
