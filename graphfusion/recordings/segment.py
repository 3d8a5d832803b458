"""A segment: what an extractor is given of one utterance."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Sound:
    """One channel of sound.

    Args:
        samples: `[T]` float32 in [-1, 1]; several channels have been averaged.
        rate: Samples a second.
    """

    samples: Samples
    rate: int

    @property
    def duration(self) -> float:
        """In seconds."""
        return len(self.samples) / self.rate

    @property
    def level(self) -> float:
        """The root mean square in dBFS: 0 is that of a full-scale square wave."""
        power = (
            float(np.mean(np.square(self.samples, dtype=np.float64))) if self.samples.size else 0
        )
        return 10 * float(np.log10(power)) if power > 0 else -float("inf")

    def resample(self, rate: int) -> "Sound":
        """The same sound with another number of samples a second."""
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
    """What an extractor is given of one utterance: the one thing that it needs.

    Args:
        name: Where it is, for errors: "conversation 'monday', utterance 3 (1.0 to 2.5 s)".
        text: Its words.
        sound: Its sound.
        frames: Decodes its pictures, `[height, width, 3]` uint8 in RGB, one after the other; a
            whole video is never in memory.

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
