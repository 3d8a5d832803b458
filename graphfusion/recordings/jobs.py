"""Extraction jobs: one extractor applied to one conversation."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphfusion.recordings.cache import Vectors, cache_key, read_cache, write_cache
from graphfusion.recordings.extractors.protocol import Absent, Extractor
from graphfusion.recordings.media.frames import FrameReader
from graphfusion.recordings.media.sound import open_sound
from graphfusion.recordings.segment import SHORTEST, Segment
from graphfusion.recordings.table import Utterance

FRAME_RATE = 5.0  # frames per second passed to extractors
_CHUNK = 16  # number of segments in memory at the same time


class ExtractionError(RuntimeError):
    """Raised if an extractor or a decoder fails; the message names the segment."""


@dataclass(frozen=True)
class Job:
    """The application of one extractor to one conversation.

    Args:
        modality: The name of the modality.
        extractor: The extractor.
        utterances: All utterances of the conversation.
        cache: The folder of the cache; None: no cache.
    """

    modality: str
    extractor: Extractor
    utterances: tuple[Utterance, ...]
    cache: Path | None


def run_job(job: Job) -> Vectors:
    """Reads the vectors from the cache, or extracts and caches them.

    Raises:
        ExtractionError: If the extractor raises an error, or its result is invalid.
        OSError: If a file cannot be read.
    """
    if job.cache is None:
        return _extract(job)
    key = cache_key(job.extractor, job.utterances)
    known = read_cache(job.cache, key)
    if known is not None:
        return known
    made = _extract(job)
    write_cache(job.cache, key, made)
    return made


def _extract(job: Job) -> Vectors:
    whole = job.utterances
    results: list[Any] = []
    rates: set[int] = set()
    with ExitStack() as stack:
        # Each file is opened once.
        reader = cache(lambda make, path: stack.enter_context(make(path)))
        for first in range(0, len(whole), _CHUNK):
            chunk = [_segment(job, each, reader) for each in whole[first : first + _CHUNK]]
            vectors = iter(_call(job, [each for each in chunk if isinstance(each, Segment)]))
            rates |= {each.sound.rate for each in chunk if isinstance(each, Segment) and each.sound}
            results += [next(vectors) if isinstance(each, Segment) else each for each in chunk]
    reasons = [each.reason if isinstance(each, Absent) else None for each in results]
    none = np.zeros(job.extractor.dim, np.float32)
    values = np.stack([none if isinstance(each, Absent) else each for each in results])
    return Vectors(torch.from_numpy(values), reasons, sorted(rates))


def _segment(job: Job, utterance: Utterance, reader: Callable[..., Any]) -> Segment | Absent:
    segment = Segment(f"{job.modality} of {utterance.name}")
    source, start, end = getattr(utterance, job.extractor.needs), utterance.start, utterance.end
    if job.extractor.needs == "text":
        if source is None or not any(letter.isalnum() for letter in source):
            return Absent("no words")
        return replace(segment, text=source)
    if source is None:
        return Absent("no file named")
    if job.extractor.needs == "video":
        if start is not None and end is not None and end - start < SHORTEST:
            return Absent("under 100 ms")
        read = reader(FrameReader, source).read
        return replace(segment, frames=partial(read, start, end, FRAME_RATE))
    try:
        sound = reader(open_sound, source).read(start, end)
    except ValueError as error:  # NaN, which no check has decoded
        raise _failure(segment.name, error) from error
    return replace(segment, sound=sound) if sound.absent is None else Absent(sound.absent)


def _call(job: Job, segments: Sequence[Segment]) -> list[Any]:
    """Calls the extractor; if it raises, retries each segment to name the one that fails."""
    if not segments:
        return []
    try:
        results = list(job.extractor(segments))
    except Exception as error:
        for segment in segments if len(segments) > 1 else ():
            try:
                job.extractor([segment])
            except Exception as own:
                raise _failure(segment.name, own) from own
        raise _failure(" to ".join({segments[0].name: 0, segments[-1].name: 0}), error) from error
    if len(results) != len(segments):
        raise ExtractionError(
            f"{segments[0].name}: the extractor must return a vector for each of {len(segments)} "
            f"segments, but returned {len(results)}."
        )
    return [_checked(job, *pair) for pair in zip(segments, results, strict=True)]


def _failure(name: str, error: Exception) -> ExtractionError:
    return ExtractionError(f"{name}: {type(error).__name__}: {error}")


def _checked(job: Job, segment: Segment, result: Any) -> Any:
    if isinstance(result, Absent):
        return result
    vector = np.asarray(result, dtype=np.float32)
    if vector.shape != (job.extractor.dim,) or not np.isfinite(vector).all():
        raise ExtractionError(
            f"{segment.name}: the extractor must return {job.extractor.dim} finite numbers or "
            f"Absent, but returned {vector.shape} with {int((~np.isfinite(vector)).sum())} NaN or "
            "infinite."
        )
    return vector
