"""Decodes video frames by time, one at a time."""

from collections.abc import Iterator
from typing import Any

from graphfusion.recordings.media.container import Container
from graphfusion.recordings.segment import Picture

RATE = 5.0  # frames per second passed to extractors


class FrameReader(Container):
    """Reads the frames of an open video file; time 0 is the beginning of the file."""

    kind = "video"
    _reading = 0

    def _open(self) -> None:
        super()._open()
        self._stream.thread_type = "AUTO"

    def read(self, start: float | None, end: float | None, rate: float = RATE) -> Iterator[Picture]:
        """Decodes the frames from `start` to `end` in seconds, at most `rate` per second.

        Yields:
            `[height, width, 3]` uint8, in RGB.
        """
        self._reading += 1
        turn = self._reading
        due = start = start or 0.0
        with self._decoding():
            for time, frame in self._decode(start):
                if end is not None and time >= end:
                    return
                if time >= due - 1e-6:
                    due = max(due + 1 / rate, time)
                    yield frame.to_ndarray(format="rgb24")
                if turn != self._reading:
                    raise RuntimeError(
                        "frames must be read one segment at a time, but those of another segment "
                        "were requested in between."
                    )

    def _decode(self, start: float) -> Iterator[tuple[float, Any]]:
        """Decodes all frames from the last keyframe before `start`, with their times."""
        target = (self._start + start) / self._stream.time_base
        self._container.seek(int(target), stream=self._stream)
        frames = self._timed()
        first = next(frames, None)
        if first is None or first[0] > start:
            # An MPEG transport stream has no index, and is sought past its keyframe.
            self._reopen()
            frames = self._timed()
        else:
            yield first
        yield from frames

    def _timed(self) -> Iterator[tuple[float, Any]]:
        for frame in self._container.decode(self._stream):
            if frame.time is None:
                raise OSError(f"{self._path}: a frame must have a time, but has none")
            yield frame.time - self._start, frame
