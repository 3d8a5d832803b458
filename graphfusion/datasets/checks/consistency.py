"""What conversations must share to be those of one corpus."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from graphfusion.data.conversation import MISSING, Conversation
from graphfusion.datasets._lazy import Lazy
from graphfusion.datasets.checks.problems import (
    AnyConversation,
    Faults,
    Problem,
    Splits,
    infinite,
    search,
)


class Consistency:
    """What no corpus may have, each of its conversations being as it should.

    Args:
        classes: The names of its classes.
        splits: The names of its splits.

    Attributes:
        found: What is wrong with the conversations that were added.
    """

    def __init__(self, classes: Sequence[str], splits: Iterable[str]) -> None:
        self._sizes: dict[str, int] | None = None
        self._splits = dict.fromkeys(splits, 0)
        self._home: dict[str, str] = {}
        self._classes = classes
        self.found: list[Problem] = []

    def add(self, split: str, conversation: AnyConversation) -> None:
        """Compares it with those before."""
        name = getattr(conversation, "id", None)
        sizes = {modality: value.size(1) for modality, value in conversation.features.items()}
        self.add_facts(split, name, sizes)
        if isinstance(name, str):
            self.add_labels(name, conversation.y)

    def add_facts(self, split: str, name: object, sizes: dict[str, int]) -> None:
        """The same with what is known of a conversation, whose features need not be read."""
        self._splits[split] += 1
        if not isinstance(name, str):
            message = f"conversations must have a string as id, but got {name!r}."
            self.found.append(Problem(None, "id", message))
            return
        if name in self._home:
            message = f"must be in one split, once, but is in {self._home[name]!r} and {split!r}."
            self.found.append(Problem(name, "id", message))
        self._home[name] = split
        wanted = self._sizes = self._sizes or sizes
        if list(sizes.items()) != list(wanted.items()):  # their order counts, too
            message = (
                f"features must have the modalities and sizes {wanted} of the corpus, "
                f"but got {sizes}."
            )
            self.found.append(Problem(name, "features", message))

    def add_labels(self, name: str, y: Tensor | None) -> None:
        """Checks the labels of a conversation, or of many."""
        self.found += _check_labels(name, y, len(self._classes))

    def problems(self) -> Iterator[Problem]:
        """All of them; without conversations to train on, there is no corpus either."""
        if len(set(self._classes)) != len(self._classes):
            message = f"classes must be unique, but got {', '.join(self._classes[:20]):.200}."
            yield Problem(None, "classes", message)
        if not self._splits.get("train"):
            splits = list(self._splits)
            message = f"splits must have conversations in 'train', but got {splits}."
            yield Problem(None, "splits", message)
        yield from self.found


def inconsistencies(
    classes: Sequence[str], splits: Mapping[str, Sequence[Conversation]]
) -> Iterator[Problem]:
    """What no corpus may have; of conversations in a file, no features are read."""
    check = Consistency(classes, splits)
    for split, conversations in splits.items():
        if isinstance(conversations, Lazy):
            sizes, labels = conversations.in_channels, conversations.labels()
            # All at once, for most are as they should be.
            fine = not labels or not any(_check_labels("", torch.cat(labels), len(classes)))
            for name, y in zip(conversations.ids, labels, strict=True):
                check.add_facts(split, name, sizes)
                if not fine:
                    check.add_labels(name, y)
        else:
            for conversation in conversations:
                check.add(split, conversation)
    return check.problems()


def errors(classes: Sequence[str], splits: Splits) -> list[Problem]:
    """What stands in the way of a corpus, all of it."""
    checks = Faults(), Consistency(classes, splits)
    for split, conversations in splits.items():
        for conversation in conversations:
            for check in checks:
                check.add(split, conversation)
    return [problem for check in checks for problem in check.problems()]


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
    elif num_classes and not _in_range(y, num_classes):
        broken = (y != MISSING) & ((y < 0) | (y >= num_classes))
        rule = f"labels must be in [0, {num_classes}), or {MISSING} where missing"
        yield from search(name, "y", rule, broken, y)
    elif not num_classes:
        yield from infinite(name, "y", y)


def _in_range(y: Tensor, num_classes: int) -> bool:
    """Whether all are class numbers; quick, for most are."""
    if len(y) == 0:
        return True
    low, high = y.aminmax()
    return int(low) >= 0 and int(high) < num_classes
