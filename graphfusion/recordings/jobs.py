"""Extraction jobs: one extractor applied to one conversation."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphfusion.recordings.cache import Vectors, cache_key, read_cache, write_cache
from graphfusion.recordings.extractors.protocol import Absent, Extractor, Need
from graphfusion.recordings.media.frames import FrameReader
from graphfusion.recordings.media.sound import open_sound
from graphfusion.recordings.segment import SHORTEST, Segment
from graphfusion.recordings.table import Utterance

_CHUNK = 16  # number of segments in memory at the same time


class ExtractionError(RuntimeError):
    """Raised if an extractor or a decoder fails; the message names the segment."""


def run_job(
    modality: str, extractor: Extractor, utterances: Sequence[Utterance], cache: Path | None
) -> Vectors:
    """Reads a conversation's vectors from the cache, or extracts and caches them.

    Args:
        modality: The name of the modality, for error messages.
        extractor: The extractor.
        utterances: All utterances of the conversation.
        cache: The folder of the cache; None: no cache.

    Raises:
        ExtractionError: If the extractor raises an error, or its result is invalid.
        OSError: If a file cannot be read.
    """
    if cache is None:
        return _extract(modality, extractor, utterances)
    key = cache_key(extractor, utterances)
    known = read_cache(cache, key)
    if known is not None:
        return known
    made = _extract(modality, extractor, utterances)
    write_cache(cache, key, made)
    return made


def _extract(modality: str, extractor: Extractor, utterances: Sequence[Utterance]) -> Vectors:
    results: list[Any] = []
    rates: set[int] = set()
    with ExitStack() as stack:
        # Each file is opened once.
        reader = lru_cache(None)(lambda make, path: stack.enter_context(make(path)))
        for first in range(0, len(utterances), _CHUNK):
            chunk = [
                _segment(f"{modality} of {each.name}", extractor.needs, each, reader)
                for each in utterances[first : first + _CHUNK]
            ]
            segments = [each for each in chunk if isinstance(each, Segment)]
            rates |= {each.sound.rate for each in segments if each.sound}
            vectors = iter(_call(extractor, segments))
            results += [next(vectors) if isinstance(each, Segment) else each for each in chunk]
    reasons = [each.reason if isinstance(each, Absent) else None for each in results]
    none = np.zeros(extractor.dim, np.float32)
    values = np.stack([none if isinstance(each, Absent) else each for each in results])
    return Vectors(torch.from_numpy(values), reasons, sorted(rates))


def _segment(
    name: str, needs: Need, utterance: Utterance, reader: Callable[..., Any]
) -> Segment | Absent:
    source, start, end = getattr(utterance, needs), utterance.start, utterance.end
    if needs == "text":
        said = source is not None and any(letter.isalnum() for letter in source)
        return Segment(name, text=source) if said else Absent("no words")
    if source is None:
        return Absent("no file named")
    if needs == "video":
        if (
            start is not None and end is not None and end - start < SHORTEST - 1e-6
        ):  # of rounded times
            return Absent("under 100 ms")
        return Segment(name, frames=partial(reader(FrameReader, source).read, start, end))
    try:
        sound = reader(open_sound, source).read(start, end)
    except ValueError as error:  # NaN, which no check has decoded
        raise _failure(name, error) from error
    return Absent(sound.absent) if sound.absent else Segment(name, sound=sound)


def _call(extractor: Extractor, segments: Sequence[Segment]) -> list[Any]:
    """Calls the extractor; if it raises, retries each segment to name the one that fails."""
    if not segments:
        return []
    try:
        results = list(extractor(segments))
    except Exception as error:
        for segment in segments if len(segments) > 1 else ():
            try:
                extractor([segment])
            except Exception as own:
                raise _failure(segment.name, own) from own
        raise _failure(" to ".join({segments[0].name: 0, segments[-1].name: 0}), error) from error
    if len(results) != len(segments):
        raise ExtractionError(
            f"{segments[0].name}: the extractor must return a vector for each of {len(segments)} "
            f"segments, but returned {len(results)}."
        )
    return [_checked(extractor.dim, *pair) for pair in zip(segments, results, strict=True)]


def _failure(name: str, error: Exception) -> ExtractionError:
    return ExtractionError(f"{name}: {type(error).__name__}: {error}")


def _checked(dim: int, segment: Segment, result: Any) -> Any:
    if isinstance(result, Absent):
        return result
    try:
        vector = np.asarray(result, dtype=np.float32)
    except Exception as error:  # such as of a tensor that requires a gradient
        raise _failure(segment.name, error) from error
    if vector.shape != (dim,) or not np.isfinite(vector).all():
        raise ExtractionError(
            f"{segment.name}: the extractor must return {dim} finite numbers or "
            f"Absent, but returned {vector.shape} with {int((~np.isfinite(vector)).sum())} NaN or "
            "infinite."
        )
    return vector
