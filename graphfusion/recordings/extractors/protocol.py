"""The `Extractor` protocol: a callable from a list of segments to their feature vectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from graphfusion._utils.checks import check_size
from graphfusion.recordings.fingerprint import Fingerprint
from graphfusion.recordings.segment import Segment

Need: TypeAlias = Literal["text", "audio", "video"]
NEEDS: tuple[Need, ...] = ("text", "audio", "video")


@dataclass(frozen=True)
class Absent:
    """The result of an extractor for a segment that has no vector.

    Args:
        reason: A short reason, such as "no face"; equal reasons are counted together.
    """

    reason: str


@runtime_checkable
class Extractor(Protocol):
    """The interface of extractors: they return one vector per segment.

    Any object with these four members is an extractor. It must be thread-safe, and picklable for an
    `executor` of processes.
    """

    @property
    def needs(self) -> Need:
        """The input: "text", "audio" (`sound` of a segment) or "video" (`frames`)."""

    @property
    def dim(self) -> int:
        """The size of the vectors."""

    @property
    def fingerprint(self) -> Fingerprint:
        """A JSON object with all that the vectors depend on: package, model, weights, options.

        The entry "versions" maps packages to versions. It may differ between training and
        prediction, with a warning; all other entries must be equal. Extraction adds the entry
        "sampling_rates", the different rates of the sound in Hz; others are warned of.
        """

    def __call__(self, segments: Sequence[Segment]) -> Sequence[Any]:
        """Returns a vector of `dim` finite numbers, or :class:`Absent`, for each segment."""


@dataclass(frozen=True)
class _PerSegment:
    function: Callable[[Segment], Any]
    needs: Need
    dim: int
    fingerprint: Fingerprint

    def __call__(self, segments: Sequence[Segment]) -> list[Any]:
        return [self.function(segment) for segment in segments]


def per_segment(
    function: Callable[[Segment], Any], needs: Need, dim: int, fingerprint: Fingerprint
) -> Extractor:
    """Creates an extractor from a function of one segment.

    Args:
        function: A function from a :class:`Segment` to a vector of `dim` numbers, or
            :class:`Absent`.
        needs: "text", "audio" or "video".
        dim: The size of the vectors.
        fingerprint: A JSON object that must change whenever the function's vectors change. It is
            part of the cache key, and is compared to the fingerprint of a model.

    Raises:
        ValueError: If `needs` is unknown, `dim` is not positive, or `fingerprint` is empty.

    Example:
        >>> from graphfusion.recordings import Segment, per_segment
        >>> fingerprint = {"extractor": "letters", "revision": 1}
        >>> length = per_segment(lambda each: [len(each.text)], "text", 1, fingerprint)
        >>> length([Segment("an example", text="Hi!")])
        [[3]]
    """
    if needs not in NEEDS:
        raise ValueError(f"needs must be one of {list(NEEDS)}, but got {needs!r}.")
    check_size("dim", dim)
    if not fingerprint:
        raise ValueError("fingerprint must not be empty.")
    return _PerSegment(function, needs, dim, fingerprint)
