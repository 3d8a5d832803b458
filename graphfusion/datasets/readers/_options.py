"""What a caller may say about a file that does not say it itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict


class Asked(TypedDict, total=False):
    """The keyword arguments of the readers of `.npz` files and pickles."""

    labels: Literal["classes", "scores"] | None
    missing: Literal["nan"] | None
    frames: Literal["mean"] | None
    splits: Sequence[str] | None


class TableAsked(Asked, total=False):
    """The same, and those of tables."""

    features: Mapping[str, str | Sequence[str]] | Sequence[str] | None
    conversation: str
    turn: str | None
    speaker: str | None
    label: str | Sequence[str] | None
    split: str | None
    score: str | None
    classes: Sequence[str] | None


@dataclass(frozen=True)
class Options:
    """The same, checked.

    Args:
        labels: What the labels are; None: what the file says.
        missing: "nan": vectors, and frames, of nothing but NaN are absent; None: NaN is refused.
        frames: "mean": a modality's frames are averaged over each utterance, but for those of
            nothing but zeros, which are padding; None: frames are refused.
        splits: The names of a tuple's lists of ids, in their order; None: what the file says.

    Raises:
        ValueError: If one has another value.
    """

    labels: Literal["classes", "scores"] | None = None
    missing: Literal["nan"] | None = None
    frames: Literal["mean"] | None = None
    splits: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for name, known in (
            ("labels", ("classes", "scores")),
            ("missing", ("nan",)),
            ("frames", ("mean",)),
        ):
            value = getattr(self, name)
            if value is not None and value not in known:
                expected = " or ".join(map(repr, known))
                raise ValueError(f"{name} must be {expected} or None, but got {value!r}.")
        if self.splits is not None and (
            isinstance(self.splits, str) or len(set(self.splits)) != len(self.splits)
        ):
            raise ValueError(f"splits must be different names, but got {self.splits!r}.")
