"""The contents of a file as a reader returns them, before values are validated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from torch import Tensor

from graphfusion.data.conversation import Conversation


@dataclass(frozen=True)
class RawConversation:
    """A conversation as stored in a file, before its values are validated.

    Args:
        id: The id of the conversation.
        features: `{modality: [U, d_m]}`, floating.
        speaker: `[U]` int64.
        y: `[U]`, int64 (class numbers; -100: missing) or floating (scores; NaN: missing); or
            floating `[U, K]` (multilabel).
        present: `{modality: [U] bool}`, for each modality.
        score: `[U]`, floating (NaN: missing): an optional score in addition to the class.
    """

    id: str
    features: dict[str, Tensor]
    speaker: Tensor
    y: Tensor
    present: dict[str, Tensor]
    score: Tensor | None = None

    def checked(self) -> Conversation:
        """Converts to a `Conversation`, which validates the values."""
        further = {} if self.score is None else {"score": self.score}
        present = self.present
        return Conversation(self.features, self.speaker, self.y, present, id=self.id, **further)


@dataclass(frozen=True)
class Contents:
    """The contents of a file.

    Args:
        classes: The names of the classes; empty: the labels are scores.
        splits: `{split: conversations}`.
        unused: The ids of conversations that are in no split.
        extractors: `{modality: fingerprint}` of the extractors, if the file stores them.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[RawConversation]]
    unused: tuple[str, ...] = ()
    extractors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


T = TypeVar("T")
# A callback that converts the contents of a file, for example to a corpus or a list of problems.
Finish: TypeAlias = Callable[[Contents], T]
