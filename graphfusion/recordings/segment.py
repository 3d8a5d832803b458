"""Segments: the inputs of extractors, one per utterance."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHORTEST = 0.1  # seconds
QUIETEST = -60.0  # dBFS

Samples = NDArray[np.float32]
Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Sound:
    """A mono audio signal.

    Args:
        samples: `[T]` float32 in [-1, 1], the average of all channels.
        rate: The number of samples per second.

    Raises:
        ValueError: If `samples` has another shape, or NaN or infinity.
    """

    samples: Samples
    rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or not np.isfinite(self.samples).all():
            raise ValueError(
                "samples must be finite, of shape [T], the average of all channels, but got shape "
                f"{list(self.samples.shape)} with {(~np.isfinite(self.samples)).sum()} NaN or "
                "infinite."
            )

    @property
    def duration(self) -> float:
        """The duration in seconds."""
        return len(self.samples) / self.rate

    @property
    def level(self) -> float:
        """The root mean square in dBFS, where 0 is a full-scale square wave."""
        power = (
            float(np.mean(np.square(self.samples, dtype=np.float64))) if self.samples.size else 0
        )
        return 10 * float(np.log10(power)) if power > 0 else -float("inf")

    @property
    def absent(self) -> str | None:
        """Why an utterance with this sound has no features: it is too short or silent; or None."""
        if self.duration < SHORTEST:
            return "under 100 ms"
        return "below -60 dBFS" if self.level < QUIETEST else None

    def resample(self, rate: int) -> "Sound":
        """Resamples to another number of samples per second."""
        if rate == self.rate:
            return self
        import av

        frame = av.AudioFrame.from_ndarray(self.samples[None], format="flt", layout="mono")
        frame.sample_rate = self.rate
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        parts = [*resampler.resample(frame), *resampler.resample(None)]
        return Sound(np.concatenate([each.to_ndarray()[0] for each in parts]), rate)


@dataclass(frozen=True, eq=False)
class Segment:
    """The input of an extractor for one utterance; only the field that it needs is set.

    Args:
        name: The location, for error messages, such as "row 3, conversation 'monday' (1 to 2.5 s)".
        text: The words.
        sound: The sound.
        frames: A function that decodes the frames, `[height, width, 3]` uint8 in RGB, one at a time
            to save memory.

    Example:
        >>> from graphfusion.recordings import Segment
        >>> segment = Segment("an example", text="Where have you been?")
        >>> segment.sound is None
        True
    """

    name: str
    text: str | None = None
    sound: Sound | None = None
    frames: Callable[[], Iterator[Picture]] | None = None
