"""Decodes video frames by time, one at a time."""

from collections.abc import Iterator
from typing import Self

from graphfusion.recordings.media.container import decoding, duration, open_stream
from graphfusion.recordings.segment import Picture


class FrameReader:
    """Reads the frames of an open video file; time 0 is the beginning of the file.

    Args:
        path: The path of the file.

    Raises:
        OSError: If the file does not exist or cannot be read.
        ValueError: If it has no video stream.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._container, self._stream = open_stream(path, "video")
        self._stream.thread_type = "AUTO"
        self._reading = 0

    @property
    def duration(self) -> float:
        """The duration in seconds."""
        return duration(self._path, "video")

    def read(self, start: float | None, end: float | None, rate: float) -> Iterator[Picture]:
        """Decodes the frames from `start` to `end` in seconds, at most `rate` per second.

        Yields:
            `[height, width, 3]` uint8, in RGB.
        """
        self._reading += 1
        turn = self._reading
        zero = (self._container.start_time or 0) / 1e6
        start = start or 0.0
        target = zero + start
        with decoding(self._path):
            # Seeks to the last keyframe before the target.
            self._container.seek(int(target / self._stream.time_base), stream=self._stream)
            due = start
            for frame in self._container.decode(self._stream):
                if turn != self._reading:
                    raise RuntimeError(
                        "frames must be read one segment at a time, but those of another segment "
                        "were requested in between."
                    )
                if frame.time is None:
                    raise OSError(f"{self._path}: a frame must have a time, but has none")
                time = frame.time - zero
                if end is not None and time >= end:
                    return
                if time >= due - 1e-6:
                    due = max(due + 1 / rate, time)
                    yield frame.to_ndarray(format="rgb24")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()
