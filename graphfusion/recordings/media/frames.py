"""Decodes video frames by time, one at a time."""

from collections.abc import Iterator

from graphfusion.recordings.media.container import Container
from graphfusion.recordings.segment import Picture

RATE = 5.0  # frames per second passed to extractors


class FrameReader(Container):
    """Reads the frames of an open video file; time 0 is the beginning of the file."""

    kind = "video"

    def _open(self) -> None:
        super()._open()
        self._stream.thread_type = "AUTO"
        self._reading = 0

    def read(self, start: float | None, end: float | None, rate: float = RATE) -> Iterator[Picture]:
        """Decodes the frames from `start` to `end` in seconds, at most `rate` per second.

        Yields:
            `[height, width, 3]` uint8, in RGB.
        """
        self._reading += 1
        turn = self._reading
        start = start or 0.0
        target = (self._start + start) / self._stream.time_base
        with self._decoding():
            # Seeks to the last keyframe before the target.
            self._container.seek(int(target), stream=self._stream)
            due = start
            for frame in self._container.decode(self._stream):
                if turn != self._reading:
                    raise RuntimeError(
                        "frames must be read one segment at a time, but those of another segment "
                        "were requested in between."
                    )
                if frame.time is None:
                    raise OSError(f"{self._path}: a frame must have a time, but has none")
                time = frame.time - self._start
                if end is not None and time >= end:
                    return
                if time >= due - 1e-6:
                    due = max(due + 1 / rate, time)
                    yield frame.to_ndarray(format="rgb24")
