"""Extraction jobs: one extractor applied to one conversation."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from graphfusion.recordings.cache import Vectors, cache_key, read_cache, write_cache
from graphfusion.recordings.extractors.protocol import Absent, Extractor
from graphfusion.recordings.media.frames import FrameReader
from graphfusion.recordings.media.sound import SoundReader, open_sound
from graphfusion.recordings.segment import SHORTEST, Picture, Segment
from graphfusion.recordings.table import Utterance

FRAME_RATE = 5.0  # frames per second passed to extractors
_CHUNK = 16  # number of segments in memory at the same time

_Reader = TypeVar("_Reader", SoundReader, FrameReader)


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
    if known is None:
        known = _extract(job)
        write_cache(job.cache, key, known)
    return known


def _extract(job: Job) -> Vectors:
    values = torch.zeros(len(job.utterances), job.extractor.dim)
    reasons: list[str | None] = [None] * len(job.utterances)
    with ExitStack() as stack:
        for chunk in _chunks(_segments(job, stack)):
            whole = [(u, segment) for u, segment in chunk if isinstance(segment, Segment)]
            results = _call(job, [segment for _, segment in whole])
            found = [(u, each) for u, each in chunk if isinstance(each, Absent)]
            found += [(u, each) for (u, _), each in zip(whole, results, strict=True)]
            for u, each in found:
                if isinstance(each, Absent):
                    reasons[u] = each.reason
                else:
                    values[u] = torch.from_numpy(each)
    return Vectors(values, reasons)


def _segments(job: Job, stack: ExitStack) -> Iterator[tuple[int, Segment | Absent]]:
    """Yields the index and the segment of each utterance, or `Absent`; opens each file once."""
    readers: dict[str, Any] = {}

    def reader(path: str, make: Callable[[str], _Reader]) -> _Reader:
        if path not in readers:
            readers[path] = stack.enter_context(make(path))
        return readers[path]  # type: ignore[no-any-return]

    for u, each in enumerate(job.utterances):
        segment = Segment(f"{job.modality} of {each.name}")
        if job.extractor.needs == "text":
            yield u, _with_text(segment, each)
        elif job.extractor.needs == "audio":
            yield u, _with_sound(segment, each, lambda path: reader(path, open_sound))
        else:
            yield u, _with_frames(segment, each, lambda path: reader(path, FrameReader))


def _with_text(segment: Segment, utterance: Utterance) -> Segment | Absent:
    text = utterance.text
    if text is None or not any(letter.isalnum() for letter in text):
        return Absent("no words")
    return replace(segment, text=text)


def _with_sound(
    segment: Segment, utterance: Utterance, reader: Callable[[str], SoundReader]
) -> Segment | Absent:
    if utterance.audio is None:
        return Absent("no file named")
    try:
        sound = reader(utterance.audio).read(utterance.start, utterance.end)
    except ValueError as error:  # NaN, which no check has decoded
        raise _failure(segment.name, error) from error
    return replace(segment, sound=sound) if sound.absent is None else Absent(sound.absent)


def _with_frames(
    segment: Segment, utterance: Utterance, reader: Callable[[str], FrameReader]
) -> Segment | Absent:
    if utterance.video is None:
        return Absent("no file named")
    start, end = utterance.start, utterance.end
    if start is not None and end is not None and end - start < SHORTEST:
        return Absent("under 100 ms")
    frames: Callable[[], Iterator[Picture]] = partial(
        reader(utterance.video).read, start, end, FRAME_RATE
    )
    return replace(segment, frames=frames)


_Item = TypeVar("_Item")


def _chunks(items: Iterator[_Item]) -> Iterator[list[_Item]]:
    chunk: list[_Item] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


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
