"""What an extractor is: a callable from a list of segments to their feature vectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from graphfusion.recordings.fingerprint import Fingerprint
from graphfusion.recordings.segment import Segment

Need: TypeAlias = Literal["text", "audio", "video"]
NEEDS: tuple[Need, ...] = ("text", "audio", "video")


@dataclass(frozen=True)
class Absent:
    """Stands in for the vector of a segment that has none.

    Args:
        reason: Why, in a few words that can be counted: "no face".
    """

    reason: str


@runtime_checkable
class Extractor(Protocol):
    """Turns a list of segments into one vector each.

    Any object with these four will do. It may be called from several threads at once. For an
    `executor` of other processes it must be picklable.
    """

    @property
    def needs(self) -> Need:
        """What it is given of a segment: "text", "audio" (`sound`) or "video" (`frames`)."""

    @property
    def dim(self) -> int:
        """The size of its vectors."""

    @property
    def fingerprint(self) -> Fingerprint:
        """All that its vectors depend on: package, version, model, weights, options.

        An object of what JSON has. Its "versions", by package, may differ between training and
        prediction, with a warning; everything else must be the same.
        """

    def __call__(self, segments: Sequence[Segment]) -> Sequence[Any]:
        """Returns, for each segment, a vector of `dim` finite numbers or :class:`Absent`."""


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
    """Makes an extractor of a function of one segment.

    Args:
        function: From a :class:`Segment` to a vector of `dim` numbers, or :class:`Absent`.
        needs: "text", "audio" or "video".
        dim: The size of its vectors.
        fingerprint: To be changed whenever the function's vectors change: it is the key of cached
            features, and is compared with that of a model.

    Raises:
        ValueError: If there is no such need, the size is not positive, or the fingerprint is empty.

    Example:
        >>> from graphfusion.recordings import Segment, per_segment
        >>> fingerprint = {"extractor": "letters", "revision": 1}
        >>> length = per_segment(lambda each: [len(each.text)], "text", 1, fingerprint)
        >>> length([Segment("an example", text="Hi!")])
        [[3]]
    """
    if needs not in NEEDS:
        raise ValueError(f"needs must be one of {list(NEEDS)}, but got {needs!r}.")
    if dim < 1:
        raise ValueError(f"dim must be at least 1, but got {dim}.")
    if not fingerprint:
        raise ValueError("fingerprint must not be empty.")
    return _PerSegment(function, needs, dim, fingerprint)
