"""The `Problem` record, and the rules for the values of a conversation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from torch import Tensor

from graphfusion._utils.checks import all_finite
from graphfusion.data.conversation import Conversation
from graphfusion.datasets.readers._contents import RawConversation

AnyConversation: TypeAlias = RawConversation | Conversation
Splits: TypeAlias = Mapping[str, Sequence[RawConversation]] | Mapping[str, Sequence[Conversation]]


@dataclass(frozen=True)
class Problem:
    """A problem in a file or corpus.

    Args:
        conversation: The id of the affected conversation; None: the problem concerns the whole
            file.
        field: The affected field, such as "id", "y" or "features.text"; None: the file could not be
            read that far.
        message: What was expected, and what was found.
    """

    conversation: str | None
    field: str | None
    message: str

    def __str__(self) -> str:
        if self.conversation is None:
            return self.message
        return f"conversation {self.conversation!r}: {self.message}"


class Check(Protocol):
    """The interface of checks: conversations are added one at a time, then problems reported."""

    def add(self, split: str, conversation: AnyConversation) -> None:
        """Checks one conversation, without keeping a reference to it."""

    def problems(self) -> Iterable[Problem]:
        """Returns the problems of the conversations that were added."""


class ValueCheck:
    """Checks the values of each conversation, see :func:`value_problems`."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, split: str, conversation: AnyConversation) -> None:  # noqa: ARG002
        """Checks the values of one conversation."""
        self._found += value_problems(conversation)

    def problems(self) -> list[Problem]:
        """Returns the problems of all conversations that were added."""
        return self._found


def value_problems(conversation: AnyConversation) -> Iterator[Problem]:
    """Yields the invalid values of a conversation: non-finite features or scores, speakers < 0."""
    present = conversation.present
    for name, values in conversation.features.items():
        if not all_finite(values):
            broken = ~values.isfinite() & present[name][:, None]
            rows = broken.any(1)
            place = int(broken[int(rows.int().argmax())].int().argmax())  # in the first such row
            got, rule = f"NaN or infinity at position {place}", f"{name} must be finite"
            yield from violations(conversation.id, f"features.{name}", rule, rows, got)
    score = getattr(conversation, "score", None)
    if score is not None and score.is_floating_point() and score.dim() == 1:
        yield from infinite_scores(conversation.id, "score", score)
    yield from violations(
        conversation.id,
        "speaker",
        "speaker must not be negative",
        conversation.speaker < 0,
        conversation.speaker,
    )


def infinite_scores(conversation: str, field: str, values: Tensor) -> Iterator[Problem]:
    """Yields a problem if scores `[U]` are infinite; NaN marks missing scores and is allowed."""
    rule = f"{field} must be finite, or NaN where missing"
    yield from violations(conversation, field, rule, values.isinf(), "infinity")


def violations(
    conversation: str, field: str, rule: str, broken: Tensor, got: Tensor | str
) -> Iterator[Problem]:
    """Yields one problem for all utterances that violate a rule, or none.

    Args:
        conversation: The id of the conversation.
        field: The field that was checked.
        rule: What was expected.
        broken: `[U]` bool, True for utterances that violate the rule.
        got: What was found: a description, or values `[U]`.
    """
    places = broken.nonzero().flatten().tolist()
    if places:
        what = got if isinstance(got, str) else int(got[places[0]])
        others = f", one of {len(places)} such utterances" if len(places) > 1 else ""
        message = f"{rule}, but utterance {places[0]} has {what}{others}."
        yield Problem(conversation, field, message)
