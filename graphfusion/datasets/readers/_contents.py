"""What a reader makes of a file, its values not yet checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from torch import Tensor

from graphfusion.data.conversation import Conversation


@dataclass(frozen=True)
class RawConversation:
    """A conversation as a file has it, its values not yet checked.

    Args:
        id: Its name.
        features: `{modality: [U, d_m]}`, floating.
        speaker: `[U]` int64.
        y: `[U]`, int64 (a class; -100: missing) or floating (a score; NaN: missing); or floating
            `[U, K]` (several classes at once).
        present: `{modality: [U] bool}`, for each of the modalities.
        score: `[U]`, floating, a score besides the class, if there is one (NaN: missing).
    """

    id: str
    features: dict[str, Tensor]
    speaker: Tensor
    y: Tensor
    present: dict[str, Tensor]
    score: Tensor | None = None

    def checked(self) -> Conversation:
        """The same as a `Conversation`, which checks its values."""
        further = {} if self.score is None else {"score": self.score}
        present = self.present
        return Conversation(self.features, self.speaker, self.y, present, id=self.id, **further)


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Args:
        classes: The names of the classes; none where the labels are scores.
        splits: `{split: conversations}`; those of a file that stays open are read when asked for.
        unused: The ids of further conversations, which are in no split.
        extractors: What made the features of each modality, as far as the file says.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[RawConversation]]
    unused: tuple[str, ...] = ()
    extractors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


T = TypeVar("T")
# What to make of a file's contents: a corpus, say, or a list of its problems.
Finish: TypeAlias = Callable[[Contents], T]
