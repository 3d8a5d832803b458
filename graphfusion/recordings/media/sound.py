"""Reads audio by time, with soundfile where possible and PyAV for other formats."""

from pathlib import Path
from typing import Self

import numpy as np

from graphfusion.recordings.media.container import ContainerSound, check_end
from graphfusion.recordings.segment import Sound

# Suffixes of formats in which libsndfile can seek to any sample. Not MP3 and OGG, whose frames need
# earlier ones: after a seek, the first samples are often wrong.
_BY_SOUNDFILE = {".wav", ".flac", ".aiff", ".aif", ".au", ".w64", ".rf64"}


class SoundFile:
    """A file that libsndfile decodes.

    Args:
        path: The path of the file.

    Raises:
        OSError: If the file does not exist or cannot be read.
    """

    def __init__(self, path: str) -> None:
        import soundfile

        try:
            self._file = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as error:
            raise OSError(f"{path}: {error.error_string}") from error
        self._path = path

    def measure(self) -> float:
        """Returns the duration in seconds."""
        return float(self._file.frames / self._file.samplerate)

    def read(self, start: float | None, end: float | None) -> Sound:
        """Reads the sound from `start` to `end` in seconds; None: no limit.

        Raises:
            OSError: If the sound ends over 100 ms before `end`, or cannot be decoded.
        """
        import soundfile

        rate, size = self._file.samplerate, self._file.frames
        check_end(self._path, "audio", size / rate, end)
        first = 0 if start is None else min(round(start * rate), size)
        last = size if end is None else min(round(end * rate), size)
        try:
            self._file.seek(first)
            samples = self._file.read(last - first, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise OSError(f"{self._path}: {error.error_string}") from error
        if len(samples) < last - first:
            raise OSError(
                f"{self._path}: it must have {size} samples, as it declares, but ends after "
                f"{first + len(samples)}"
            )
        return Sound(np.ascontiguousarray(samples.mean(1)), rate)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def open_sound(path: str) -> SoundFile | ContainerSound:
    """Opens a file's audio, to read parts of it.

    Time 0 is the first sample or, where there is video, the beginning of the file.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If it has no audio stream.
    """
    kind = SoundFile if Path(path).suffix.lower() in _BY_SOUNDFILE else ContainerSound
    return kind(path)
