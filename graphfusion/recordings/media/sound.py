"""Reads audio by time, with soundfile where possible and PyAV for other formats."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from graphfusion.recordings.segment import Sound

# Suffixes of formats in which libsndfile can seek to any sample.
_BY_SOUNDFILE = {".wav", ".flac", ".ogg", ".oga", ".mp3", ".aiff", ".aif", ".au", ".w64", ".rf64"}


class SoundReader(AbstractContextManager["SoundReader", None], Protocol):
    """The interface of open audio files; time 0 is the first sample, or the start of the video."""

    @property
    def duration(self) -> float:
        """The duration in seconds."""

    def read(self, start: float | None, end: float | None) -> Sound:
        """Reads the sound from `start` to `end` in seconds, if there is any; None: no limit."""


def open_sound(path: str) -> SoundReader:
    """Opens a file's audio, to read parts of it.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If it has no audio stream.
    """
    if Path(path).suffix.lower() in _BY_SOUNDFILE:
        return _SoundFile(path)
    from graphfusion.recordings.media.container import ContainerSound

    return ContainerSound(path)


class _SoundFile:
    def __init__(self, path: str) -> None:
        import soundfile

        if not Path(path).is_file():
            raise FileNotFoundError(f"{path}: no such file")
        try:
            self._file = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as error:
            raise OSError(f"{path}: {error.error_string}") from error
        self._path = path

    @property
    def duration(self) -> float:
        """The duration in seconds."""
        return float(self._file.frames / self._file.samplerate)

    def read(self, start: float | None, end: float | None) -> Sound:
        import soundfile

        rate, size = self._file.samplerate, self._file.frames
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
