"""Options of the readers, for settings that a file does not store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict


class ReaderKwargs(TypedDict, total=False):
    """The keyword arguments of the readers of `.npz` files and pickles."""

    labels: Literal["classes", "scores"] | None
    missing: Literal["nan"] | None
    frames: Literal["mean"] | None
    splits: Sequence[str] | None


class LoadKwargs(ReaderKwargs, total=False):
    """The keyword arguments of :func:`load`: those of the readers, and those of tables."""

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
    """Validated options of the readers of `.npz` files and pickles.

    Args:
        labels: The kind of the labels; None: inferred from the file.
        missing: "nan": vectors and frames that are all NaN are absent; None: NaN is refused.
        frames: "mean": a modality's frames are averaged over each utterance, excluding all-zero
            frames, which are padding; None: frames are refused.
        splits: The names of a tuple's lists of ids, in order; None: inferred from the file.

    Raises:
        ValueError: If an option has an invalid value.
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
