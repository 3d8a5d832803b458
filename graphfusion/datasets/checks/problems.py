"""What can be wrong with conversations: each rule once, for readers and for the validator."""

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
    """Something in a file that should be otherwise.

    Args:
        conversation: The id of the conversation that has it; None: it concerns the whole file.
        field: What of it is wrong: "id", "y", "features.text"; None: the reader got no further.
        message: What was expected, and what came.
    """

    conversation: str | None
    field: str | None
    message: str

    def __str__(self) -> str:
        if self.conversation is None:
            return self.message
        return f"conversation {self.conversation!r}: {self.message}"


class Check(Protocol):
    """Looks at conversations one after the other, and then says what is wrong."""

    def add(self, split: str, conversation: AnyConversation) -> None:
        """Looks at one; it is not kept."""

    def problems(self) -> Iterable[Problem]:
        """What is wrong with those that were added."""


class Faults:
    """What no conversation may have."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, split: str, conversation: AnyConversation) -> None:  # noqa: ARG002
        """Looks at its values."""
        self._found += faults(conversation)

    def problems(self) -> list[Problem]:
        """All of them."""
        return self._found


def faults(conversation: AnyConversation) -> Iterator[Problem]:
    """What no conversation may have."""
    present = conversation.present
    for name, values in conversation.features.items():
        if not all_finite(values):
            broken = ~values.isfinite() & present[name][:, None]
            rows = broken.any(1)
            place = int(broken[int(rows.int().argmax())].int().argmax())  # of the first such row
            got, rule = f"NaN or infinity at position {place}", f"{name} must be finite"
            yield from search(conversation.id, f"features.{name}", rule, rows, got)
    score = getattr(conversation, "score", None)
    if score is not None and score.is_floating_point() and score.dim() == 1:
        yield from infinite(conversation.id, "score", score)
    yield from search(
        conversation.id,
        "speaker",
        "speaker must not be negative",
        conversation.speaker < 0,
        conversation.speaker,
    )


def infinite(conversation: str, field: str, values: Tensor) -> Iterator[Problem]:
    """A problem for infinite scores `[U]`, of which NaN are missing ones."""
    rule = f"{field} must be finite, or NaN where missing"
    yield from search(conversation, field, rule, values.isinf(), "infinity")


def search(
    conversation: str, field: str, rule: str, broken: Tensor, got: Tensor | str
) -> Iterator[Problem]:
    """One problem for all utterances that break a rule.

    Args:
        conversation: Its id.
        field: What of it.
        rule: What was expected.
        broken: `[U]` bool.
        got: What came, in words or `[U]` values.
    """
    places = broken.nonzero().flatten().tolist()
    if places:
        what = got if isinstance(got, str) else int(got[places[0]])
        others = f", one of {len(places)} such utterances" if len(places) > 1 else ""
        message = f"{rule}, but utterance {places[0]} has {what}{others}."
        yield Problem(conversation, field, message)
