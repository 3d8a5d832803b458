"""Decodes containers that FFmpeg supports, sequentially and in little memory, by PyAV."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np

from graphfusion.recordings.segment import Samples, Sound

#: Tolerance for rounded times, in seconds.
TOLERANCE = 0.1
_GAP = 0.02  # seconds; clocks of containers are rounded by less
_LONGEST_GAP = 3600.0  # seconds; a longer one is a damaged time, and its silence fills the memory


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
        streams = self._streams(self.kind)
        if not streams:
            self._container.close()
            raise ValueError(f"{self._path}: it must have a stream of {self.kind}, but has none")
        self._stream: Any = streams[0]

    def _streams(self, kind: str) -> list[Any]:
        """The streams of a kind, without the pictures of a cover."""
        import av

        cover = av.stream.Disposition.attached_pic
        streams = getattr(self._container.streams, kind)
        return [each for each in streams if not each.disposition & cover]

    def _reopen(self) -> None:
        self._container.close()
        self._open()

    @property
    def _start(self) -> float:
        """The time of the file's beginning in its own clock, in seconds."""
        return (self._container.start_time or 0) / 1e6

    def measure(self) -> float:
        """Returns when the sound or, of video, the file ends, in seconds.

        The file is read to its end, unless it is an MP4 or MOV, which have an index. Other files
        declare no duration, an estimated one, or that of the whole where they have been cut off.
        """
        declared = [self._declared(each) for each in self._measured()]
        if all(declared):
            return max(filter(None, declared))
        self._reopen()
        with self._decoding():
            ends = [
                (packet.pts + (packet.duration or 0)) * packet.time_base
                for packet in self._container.demux(self._measured())
                if packet.pts is not None
            ]
        return float(max(ends)) - self._start if ends else 0.0

    def _measured(self) -> list[Any]:
        return [self._stream]

    def _declared(self, stream: Any) -> float | None:
        """Returns when a stream ends by the index of an MP4 or MOV file; None: it has none."""
        if "mp4" not in self._container.format.name or not stream.duration:
            return None
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base) - self._start

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


def check_end(path: str, kind: str, reached: float, end: float | None) -> None:
    """Checks that reading reached the time `end`, if that is known.

    Raises:
        OSError: If the file has been cut off, or its audio or video ends before.
    """
    if end is not None and reached + TOLERANCE < end:
        raise OSError(f"{path}: {kind} must last {end:.2f} s, but ends after {reached:.2f} s")


class ContainerSound(Container):
    """The first audio stream of a file.

    Reading parts in the order of their starts decodes the file once, and buffers only samples that
    later parts may need. Reading an earlier part reopens the file.
    """

    kind = "audio"

    def read(self, start: float | None, end: float | None) -> Sound:
        """Reads the sound from `start` to `end` in seconds; None: no limit.

        Raises:
            OSError: If the sound ends over 100 ms before `end`, or cannot be decoded.
        """
        first = 0 if start is None else round(start * self._rate)
        if first < self._buffer_start:
            self._reopen()
        last = None if end is None else round(end * self._rate)
        while last is None or self._buffer_end < last:
            part = next(self._parts, None)
            if part is None:
                known = self._declared(self._stream) if end is None else end
                check_end(self._path, "audio", self._buffer_end / self._rate, known)
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
        done = 0
        # The audio may start after the video; sound alone starts with its first sample.
        origin = self._start if self._streams("video") else None
        with self._decoding():
            for number, frame in enumerate(self._container.decode(self._stream)):
                if frame.time is not None:
                    origin = float(frame.time) if origin is None else origin
                    gap = round((float(frame.time) - origin) * self._rate) - done
                    if gap > _LONGEST_GAP * self._rate:
                        raise OSError(
                            f"{self._path}: audio must have no gap of over an hour, but has one of "
                            f"{gap / self._rate:.0f} s"
                        )
                    if number == 0 or gap > _GAP * self._rate:  # silence takes the place of a gap
                        done += max(gap, 0)
                        for start in range(0, gap, self._rate):  # in parts, since it may be long
                            yield np.zeros(min(gap - start, self._rate), np.float32)
                frame.pts = None  # treats the samples as contiguous
                for each in resampler.resample(frame):
                    done += each.samples
                    yield each.to_ndarray().mean(0)
            yield from (each.to_ndarray().mean(0) for each in resampler.resample(None))

    def _drop_before(self, first: int) -> None:
        """Drops buffered parts that end before the sample `first`."""
        while len(self._buffer) > 1 and self._buffer_start + len(self._buffer[0]) <= first:
            self._buffer_start += len(self._buffer.pop(0))
