"""Consistency checks across a corpus's conversations: ids, modalities, sizes, labels, scores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from graphfusion._utils.checks import check_tensor
from graphfusion.data.conversation import Conversation
from graphfusion.data.labels import LabelSpec
from graphfusion.datasets._lazy import LazyConversations
from graphfusion.datasets.checks.labels import check_labels
from graphfusion.datasets.checks.problems import AnyConversation, Problem, Splits, ValueCheck

_BLANK = {
    "classification": "torch.full([U], -100)",
    "regression": "torch.full([U], torch.nan)",
    "multilabel": "torch.full([U, K], torch.nan)",
}


class Consistency:
    """Checks that conversations agree with each other, so that they can form one corpus.

    Values within a conversation are checked elsewhere, by :class:`ValueCheck`.

    Args:
        classes: The names of the corpus's classes.
        splits: The names of the corpus's splits.

    Attributes:
        found: The problems of the conversations added so far.
        spec: The label specification, inferred from the first conversation.
    """

    def __init__(self, classes: Sequence[str], splits: Iterable[str]) -> None:
        self._sizes: dict[str, int] | None = None
        self._splits = dict.fromkeys(splits, 0)
        self._home: dict[str, str] = {}
        self._classes = classes
        self._labelled: str | None = None  # the id of the first conversation
        self._scored: tuple[str, bool] | None = None  # the same, and whether it has a score
        self.spec = LabelSpec.of(classes, None)
        self.found: list[Problem] = []

    def add(self, split: str, conversation: AnyConversation) -> None:
        """Compares a conversation with the ones added before."""
        name = getattr(conversation, "id", None)
        sizes = {modality: value.size(1) for modality, value in conversation.features.items()}
        self.add_metadata(split, name, sizes)
        if isinstance(name, str) and name:
            self.add_labels(name, conversation.y)
            self._add_score(name, conversation)

    def add_metadata(self, split: str, name: object, sizes: dict[str, int]) -> None:
        """Compares the id and modality sizes of a conversation, without reading its features."""
        self._splits[split] += 1
        if not isinstance(name, str) or not name:
            message = f"conversations must have a string as id, not empty, but got {name!r}."
            self.found.append(Problem(None, "id", message))
            return
        if name in self._home:
            message = f"must be in one split, once, but is in {self._home[name]!r} and {split!r}."
            self.found.append(Problem(name, "id", message))
        self._home[name] = split
        wanted = self._sizes = self._sizes or sizes
        if list(sizes.items()) != list(wanted.items()):  # the order of the modalities matters
            message = (
                f"features must have the modalities and sizes {wanted} of the corpus, "
                f"but got {sizes}."
            )
            self.found.append(Problem(name, "features", message))

    def add_labels(self, name: str, y: Tensor | None) -> None:
        """Checks the labels of one conversation."""
        spec = LabelSpec.of(self._classes, y)
        if self._labelled is None:
            self._labelled, self.spec = name, spec
        if spec == self.spec:
            self.found += check_labels(name, y, spec)
            return
        message = (
            f"y must be labels for {self.spec.task}, as in conversation {self._labelled!r}, but is "
            f"for {spec.task}; without labels, it is {_BLANK[self.spec.task]}."
        )
        self.found.append(Problem(name, "y", message))

    def _add_score(self, name: str, conversation: AnyConversation) -> None:
        """Checks that all conversations have a score, or none, and that it is floating `[U]`."""
        score = getattr(conversation, "score", None)
        first, scored = self._scored = self._scored or (name, score is not None)
        if scored != (score is not None):
            message = (
                "all conversations or none must have a score, but only one of "
                f"{first!r} and {name!r} has one."
            )
            self.found.append(Problem(name, "score", message))
        if score is not None:
            try:
                check_tensor("score", score, [len(conversation.speaker)])
            except (TypeError, ValueError) as error:
                self.found.append(Problem(name, "score", str(error)))

    def add_all_labels(self, names: Sequence[str], labels: Sequence[Tensor]) -> None:
        """Checks the labels of many conversations.

        Concatenates them first, since one vectorised check suffices if all are valid.
        """
        shapes = {y.shape[1:] for y in labels}
        if len(shapes) == 1:
            whole = torch.cat([*labels])
            spec = LabelSpec.of(self._classes, whole)
            if self._labelled is None:
                self._labelled, self.spec = names[0], spec
            if spec == self.spec and not any(check_labels("", whole, spec)):
                return
        for name, y in zip(names, labels, strict=True):
            self.add_labels(name, y)

    def problems(self) -> Iterator[Problem]:
        """Yields all problems, including those of the class names and of an empty "train"."""
        if len(set(self._classes)) != len(self._classes):
            message = f"classes must be unique, but got {', '.join(self._classes[:20]):.200}."
            yield Problem(None, "classes", message)
        if "" in self._classes:
            yield Problem(None, "classes", "classes must have names, but one is empty.")
        if not self._splits.get("train"):
            splits = list(self._splits)
            message = f"splits must have conversations in 'train', but got {splits}."
            yield Problem(None, "splits", message)
        yield from self.found


def inconsistencies(
    classes: Sequence[str], splits: Mapping[str, Sequence[Conversation]]
) -> Iterator[Problem]:
    """Yields the inconsistencies between conversations; features in a file are not read."""
    check = Consistency(classes, splits)
    for split, conversations in splits.items():
        if isinstance(conversations, LazyConversations):
            sizes = conversations.in_channels
            for name in conversations.ids:
                check.add_metadata(split, name, sizes)
            check.add_all_labels(conversations.ids, conversations.labels())
        else:
            for conversation in conversations:
                check.add(split, conversation)
    return check.problems()


def names_of(classes: object) -> tuple[str, ...]:
    """Converts names of classes, also those of an array or a column, to a tuple.

    Raises:
        TypeError: If they are no sequence of strings.
    """
    # One string would pass as a sequence of letters; a set has no order.
    if isinstance(classes, str | set | frozenset | Mapping) or not isinstance(classes, Iterable):
        raise TypeError(f"classes must be a sequence of names, but got {classes!r:.200}.")
    names = tuple(classes)
    if odd := [each for each in names if not isinstance(each, str)]:
        raise TypeError(f"classes must be names, strings, but got {odd[0]!r:.200}.")
    return tuple(str(each) for each in names)  # those of an array are of NumPy's own type


def check_corpus(classes: Sequence[str], splits: object, turns: object) -> None:
    """Checks the arguments of a corpus.

    Raises:
        TypeError: If `splits` or `turns` is not a mapping.
        ValueError: If conversations are inconsistent.
    """
    if not isinstance(splits, Mapping):
        raise TypeError(
            f"splits must map names to lists of conversations, but got {type(splits).__name__}."
        )
    if not isinstance(turns, Mapping):
        raise TypeError(f"turns must map ids to sequences, but got {turns!r:.200}.")
    for problem in inconsistencies(classes, splits):
        raise ValueError(str(problem))


def corpus_problems(classes: Sequence[str], splits: Splits) -> list[Problem]:
    """Lists every problem that prevents conversations from forming a corpus."""
    checks = ValueCheck(), Consistency(classes, splits)
    for split, conversations in splits.items():
        for conversation in conversations:
            for check in checks:
                check.add(split, conversation)
    return [problem for check in checks for problem in check.problems()]
