"""Decodes video frames by time, one at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphfusion.recordings.media.container import Container, check_end
from graphfusion.recordings.segment import Picture

RATE = 5.0  # frames per second passed to extractors


class FrameReader(Container):
    """Reads the frames of an open video file; time 0 is the beginning of the file."""

    kind = "video"
    _reading = 0
    _reached = 0.0  # when the last packet ends, in seconds

    def _open(self) -> None:
        super()._open()
        self._stream.thread_type = "AUTO"

    def _measured(self) -> list[Any]:
        # The last picture is shown until the file ends.
        return [*self._streams("audio"), *self._streams("video")]

    def read(self, start: float | None, end: float | None, rate: float = RATE) -> Iterator[Picture]:
        """Decodes the frames from `start` to `end` in seconds, at most `rate` per second.

        Yields:
            `[height, width, 3]` uint8, in RGB, upright.

        Raises:
            OSError: If a frame cannot be decoded, or the file has been cut off.
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
                    yield _upright(frame)
                if turn != self._reading:
                    raise RuntimeError(
                        "frames must be read one segment at a time, but those of another segment "
                        "were requested in between."
                    )
        declared = self._declared(self._stream)
        if declared is not None:
            check_end(self._path, "video", self._reached, min(end or declared, declared))

    def _decode(self, start: float) -> Iterator[tuple[float, Any]]:
        """Decodes all frames from the last keyframe before `start`, with their times."""
        import av

        target = (self._start + start) / self._stream.time_base
        frames = self._timed()
        try:
            self._container.seek(int(target), stream=self._stream)
            first = next(frames, None)
        except av.error.FFmpegError:  # of FLV, before its first keyframe
            first = None
        if first is None or first[0] > start:
            # An MPEG transport stream has no index, and is sought past its keyframe.
            self._reopen()
            frames = self._timed()
        else:
            yield first
        yield from frames

    def _timed(self) -> Iterator[tuple[float, Any]]:
        self._reached = 0.0
        for packet in self._container.demux(self._stream):
            if packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self._reached = max(self._reached, float(end) - self._start)
            for frame in packet.decode():
                if frame.time is None:
                    raise OSError(f"{self._path}: a frame must have a time, but has none")
                yield frame.time - self._start, frame


def _upright(frame: Any) -> Picture:
    """Converts a frame to RGB as players show it, since phones store how they were held."""
    picture = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90)))
