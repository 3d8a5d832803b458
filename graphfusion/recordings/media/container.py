"""Decodes containers that FFmpeg supports, sequentially and in little memory, by PyAV."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np

from graphfusion.recordings.segment import Samples, Sound


class Container:
    """An open file and its first stream of one kind.

    Args:
        path: The path of the file.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If it has no such stream.
    """

    kind: ClassVar[str]

    def __init__(self, path: str) -> None:
        self._path = path
        self._open()

    def _open(self) -> None:
        import av

        with self._decoding():
            self._container = av.open(self._path)
        streams = getattr(self._container.streams, self.kind)
        if not streams:
            self._container.close()
            raise ValueError(f"{self._path}: it must have a stream of {self.kind}, but has none")
        self._stream: Any = streams[0]

    def _reopen(self) -> None:
        self._container.close()
        self._open()

    @property
    def _start(self) -> float:
        """The time of the file's beginning in its own clock, in seconds."""
        return (self._container.start_time or 0) / 1e6

    def measure(self) -> float:
        """Returns the duration in seconds; where the file does not say, it is read to its end."""
        # Of MP3, FFmpeg estimates it.
        if self._container.duration and self._container.format.name != "mp3":
            return float(self._container.duration) / 1e6
        self._reopen()
        with self._decoding():  # live recordings have no index
            packets = self._container.demux(self._stream)
            ends = [each.pts + (each.duration or 0) for each in packets if each.pts]
        return float(max(ends, default=0) * self._stream.time_base)

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        """Converts FFmpeg's errors to an OSError that names the file."""
        import av

        try:
            yield
        except av.error.FFmpegError as error:
            raise OSError(f"{self._path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()


class ContainerSound(Container):
    """The first audio stream of a file.

    Reading parts in the order of their starts decodes the file once, and buffers only samples that
    later parts may need. Reading an earlier part reopens the file.
    """

    kind = "audio"

    def read(self, start: float | None, end: float | None) -> Sound:
        """Reads the sound from `start` to `end` in seconds, if there is any; None: no limit."""
        first = 0 if start is None else round(start * self._rate)
        if first < self._buffer_start:
            self._reopen()
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
        super()._open()
        self._rate = int(self._stream.rate)
        self._buffer: list[Samples] = []
        self._buffer_start = self._buffer_end = 0  # the range of samples in the buffer
        self._parts = self._decode()

    def _decode(self) -> Iterator[Samples]:
        import av

        # Channels are averaged below, since FFmpeg's mix of two channels is 3 dB louder.
        resampler = av.AudioResampler(format="fltp", rate=self._rate)
        with self._decoding():
            for number, frame in enumerate(self._container.decode(self._stream)):
                if number == 0 and self._container.streams.video and frame.time is not None:
                    # The audio may start after the video.
                    delay = round((float(frame.time) - self._start) * self._rate)
                    yield np.zeros(max(delay, 0), np.float32)
                frame.pts = None  # treats the samples as contiguous
                yield from (each.to_ndarray().mean(0) for each in resampler.resample(frame))
            yield from (each.to_ndarray().mean(0) for each in resampler.resample(None))

    def _drop_before(self, first: int) -> None:
        """Drops buffered parts that end before the sample `first`."""
        while len(self._buffer) > 1 and self._buffer_start + len(self._buffer[0]) <= first:
            self._buffer_start += len(self._buffer.pop(0))
