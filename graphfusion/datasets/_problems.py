"""What can be wrong with conversations: each rule once, for readers and for the validator."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from graphfusion.data.conversation import MISSING, Conversation
from graphfusion.datasets._contents import RawConversation

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


def errors(classes: Sequence[str], splits: Splits) -> Iterator[Problem]:
    """What stands in the way of a corpus, all of it."""
    for conversations in splits.values():
        for conversation in conversations:
            yield from faults(conversation)
    yield from inconsistencies(classes, splits)


def faults(conversation: AnyConversation) -> Iterator[Problem]:
    """What no conversation may have."""
    present = conversation.present
    for name, values in conversation.features.items():
        broken = ~values.isfinite().all(1) & present[name]
        rule = f"{name} must be finite"
        yield from search(conversation.id, f"features.{name}", rule, broken, "NaN or infinity")
    for field in ("y", "score"):
        value = getattr(conversation, field, None)
        if value is not None and value.is_floating_point() and value.dim() == 1:
            rule = f"{field} must be finite, or NaN where missing"
            yield from search(conversation.id, field, rule, value.isinf(), "infinity")
    yield from search(
        conversation.id,
        "speaker",
        "speaker must not be negative",
        conversation.speaker < 0,
        conversation.speaker,
    )


def inconsistencies(classes: Sequence[str], splits: Splits) -> Iterator[Problem]:
    """What no corpus may have, each of its conversations being as it should."""
    if len(set(classes)) != len(classes):
        got = ", ".join(classes[:20])
        yield Problem(None, "classes", f"classes must be unique, but got {got:.200}.")
    if not splits.get("train"):
        yield Problem(
            None, "splits", f"splits must have conversations in 'train', but got {list(splits)}."
        )
    home: dict[str, str] = {}
    wanted: dict[str, int] | None = None
    for split, conversations in splits.items():
        for conversation in conversations:
            name = getattr(conversation, "id", None)
            if not isinstance(name, str):
                message = f"conversations must have a string as id, but got {name!r}."
                yield Problem(None, "id", message)
                continue
            if name in home:
                message = f"must be in one split, once, but is in {home[name]!r} and {split!r}."
                yield Problem(name, "id", message)
            home[name] = split
            sizes = {modality: value.size(1) for modality, value in conversation.features.items()}
            wanted = wanted or sizes
            if list(sizes.items()) != list(wanted.items()):  # their order counts, too
                message = (
                    f"features must have the modalities and sizes {wanted} of the corpus, "
                    f"but got {sizes}."
                )
                yield Problem(name, "features", message)
            yield from _check_labels(name, conversation.y, len(classes))


def _check_labels(name: str, y: Tensor | None, num_classes: int) -> Iterator[Problem]:
    kind = y is not None and (y.dtype == torch.int64 if num_classes else y.is_floating_point())
    if y is None or y.dim() != 1 or not kind:
        expected = (
            f"one int64 an utterance, {MISSING} where missing"
            if num_classes
            else "one score, floating, an utterance (there are no classes), NaN where missing"
        )
        got = None if y is None else f"{y.dtype} of shape {list(y.shape)}"
        yield Problem(name, "y", f"y must be {expected}, but got {got}.")
    elif num_classes:
        broken = (y != MISSING) & ((y < 0) | (y >= num_classes))
        rule = f"labels must be in [0, {num_classes}), or {MISSING} where missing"
        yield from search(name, "y", rule, broken, y)


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
