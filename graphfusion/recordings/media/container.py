"""Decodes the audio of any container that FFmpeg supports, sequentially and in little memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from graphfusion.recordings.segment import Samples, Sound


class ContainerSound:
    """The first audio stream of a file, decoded by PyAV.

    Reading parts in the order of their starts decodes the file once, and buffers only samples that
    later parts may need. Reading an earlier part reopens the file.

    Args:
        path: The path of the file.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If it has no audio stream.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._open()

    @property
    def duration(self) -> float:
        """The duration in seconds."""
        return duration(self._path, "audio")

    def read(self, start: float | None, end: float | None) -> Sound:
        """Reads the sound from `start` to `end` in seconds, if there is any; None: no limit."""
        first = 0 if start is None else round(start * self._rate)
        if first < self._buffer_start:
            self._container.close()
            self._open()
        last = None if end is None else round(end * self._rate)
        while last is None or self._buffer_end < last:
            part = next(self._parts, None)
            if part is None:
                break
            self._buffer.append(part)
            self._buffer_end += len(part)
            self._drop_before(first)
        self._drop_before(first)
        # With an empty array first, since there may be no parts.
        kept = np.concatenate([np.zeros(0, np.float32), *self._buffer])
        stop = None if last is None else max(last - self._buffer_start, 0)
        return Sound(kept[max(first - self._buffer_start, 0) : stop].copy(), self._rate)

    def _open(self) -> None:
        self._container, stream = open_stream(self._path, "audio")
        self._rate = int(stream.rate)
        self._buffer: list[Samples] = []
        self._buffer_start = self._buffer_end = 0  # the range of samples in the buffer
        self._parts = self._decode(stream)

    def _decode(self, stream: Any) -> Iterator[Samples]:
        import av

        # Channels are averaged below, since FFmpeg's mix of two channels is 3 dB louder.
        resampler = av.AudioResampler(format="fltp", rate=self._rate)
        with decoding(self._path):
            for number, frame in enumerate(self._container.decode(stream)):
                if number == 0:
                    yield np.zeros(self._delay(frame), np.float32)
                frame.pts = None  # treats the samples as contiguous
                yield from (each.to_ndarray().mean(0) for each in resampler.resample(frame))
            yield from (each.to_ndarray().mean(0) for each in resampler.resample(None))

    def _delay(self, frame: Any) -> int:
        """Returns the number of samples by which the audio starts after the video."""
        if not self._container.streams.video or frame.time is None:
            return 0
        beginning = (self._container.start_time or 0) / 1e6
        return max(round((float(frame.time) - beginning) * self._rate), 0)

    def _drop_before(self, first: int) -> None:
        """Drops buffered parts that end before the sample `first`."""
        while len(self._buffer) > 1 and self._buffer_start + len(self._buffer[0]) <= first:
            self._buffer_start += len(self._buffer.pop(0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()


def open_stream(path: str, kind: str) -> tuple[Any, Any]:
    """Opens a file, and returns the container and its first stream of "audio" or "video".

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If it has no such stream.
    """
    import av

    with decoding(path):
        container = av.open(path)
    streams = getattr(container.streams, kind)
    if not streams:
        container.close()
        raise ValueError(f"{path}: it must have a stream of {kind}, but has none")
    return container, streams[0]


def duration(path: str, kind: str) -> float:
    """Returns the duration in seconds of a file with a stream of "audio" or "video"."""
    container, stream = open_stream(path, kind)
    with container, decoding(path):
        if container.duration:
            return float(container.duration) / 1e6
        # Live recordings have no index, so the whole file is read.
        ends = [each.pts + (each.duration or 0) for each in container.demux(stream) if each.pts]
        return float(max(ends, default=0) * stream.time_base)


@contextmanager
def decoding(path: str) -> Iterator[None]:
    """Context manager that converts FFmpeg's errors to an OSError that names the file."""
    import av

    try:
        yield
    except av.error.FFmpegError as error:
        raise OSError(f"{path}: {error.strerror}") from error
