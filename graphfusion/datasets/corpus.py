"""A corpus: conversations in splits, all with the same modalities and classes."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from graphfusion.data.conversation import Conversation
from graphfusion.datasets._checksums import conversation_checksum, fingerprint
from graphfusion.datasets._contents import Contents
from graphfusion.datasets._extractors import check_extractors, select_extractors
from graphfusion.datasets._problems import errors, inconsistencies
from graphfusion.datasets._reading import FormatError
from graphfusion.datasets._tensors import to_tensors


@dataclass(frozen=True, repr=False)
class Corpus:
    """Conversations in splits.

    Args:
        classes: The names of the classes that the labels number; none: the labels are scores.
        splits: `{split: conversations}`, sequences: "train" and whatever others there are ("dev",
            "test"). Each conversation has labels `y` `[U]`, int64 (-100 where missing) or, where
            there are no classes, floating (NaN where missing); a further attribute `id`, a string;
            and perhaps another, `score` `[U]`, a score besides the class.
        extractors: `{modality: fingerprint}`, what made the features of a modality, as far as it is
            known: an object of what JSON has, such as the package, model, revision and options.

    Raises:
        TypeError: If `classes` is one string, `splits` no mapping, or `extractors` not of what
            JSON has.
        ValueError: If two classes have the same name, there is no conversation to train on, two
            have the same id, or one has other modalities or sizes than the rest, or a label that
            is none.

    Example:
        >>> import torch
        >>> from graphfusion import Conversation
        >>> from graphfusion.datasets import Corpus
        >>> call = Conversation(
        ...     {"text": torch.zeros(3, 5), "audio": torch.zeros(3, 4), "tone": torch.zeros(3, 2)},
        ...     speaker=torch.tensor([0, 1, 0]), y=torch.tensor([0, -100, 1]), id="call 7")
        >>> corpus = Corpus(("calm", "angry"), {"train": [call]})
        >>> corpus.select(["text", "audio+tone"]).in_channels
        {'text': 5, 'audio': 6}
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[Conversation]]
    extractors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.classes, str):  # a sequence of letters
            raise TypeError(f"classes must be a sequence of names, but got {self.classes!r}.")
        if not isinstance(self.splits, Mapping):
            raise TypeError(
                "splits must map names to lists of conversations, but got "
                f"{type(self.splits).__name__}."
            )
        for problem in inconsistencies(self.classes, self.splits):
            raise ValueError(str(problem))
        known = check_extractors(self.extractors, self.in_channels)
        object.__setattr__(self, "extractors", known)  # a copy; frozen

    @property
    def in_channels(self) -> dict[str, int]:
        """The size of each modality's feature vectors."""
        first = self.splits["train"][0]
        return {name: value.size(1) for name, value in first.features.items()}

    @property
    def num_classes(self) -> int:
        """The number of classes; 0: the labels are scores."""
        return len(self.classes)

    @property
    def fingerprint(self) -> str:
        """A checksum, in hexadecimal digits, of all names, labels, features and their order.

        Two corpora that hold the same have the same, to the bit, in memory or in a file; of what
        `extractors` say, it knows nothing.
        """
        names = list(self.in_channels)
        first = to_tensors(self.splits["train"][0], names)
        columns = {name: (str(each.dtype), list(each.shape[1:])) for name, each in first.items()}
        columns.pop("present", None)  # which the others may have
        return fingerprint(
            self.classes,
            columns | {"modalities": names},
            {
                split: [
                    (
                        each.id,
                        len(each.speaker),
                        conversation_checksum(each.id, to_tensors(each, names)),
                    )
                    for each in conversations
                ]
                for split, conversations in self.splits.items()
            },
        )

    def ids(self, split: str) -> list[str]:
        """The ids of a split's conversations.

        Raises:
            KeyError: If there is no such split.
        """
        return [each.id for each in self.splits[split]]

    def labels(self, split: str) -> list[Tensor]:
        """The labels `y` of a split's conversations, `[U]` each; no features are read.

        Raises:
            KeyError: If there is no such split.
        """
        return [each.y for each in self.splits[split]]

    def with_splits(self, splits: Mapping[str, Sequence[str]]) -> "Corpus":
        """The same conversations in other splits; no features are read.

        Args:
            splits: `{split: ids}`, in the order that the conversations are to have; whichever are
                not named are left out.

        Raises:
            TypeError: If `splits` is no mapping of names to sequences of ids.
            ValueError: If an id is unknown or comes twice, or there is none in "train".

        Example:
            >>> from graphfusion.datasets import synthetic
            >>> corpus = synthetic(num_train=4, num_test=2)
            >>> first, *rest = corpus.ids("train")
            >>> corpus.with_splits({"train": rest, "dev": [first]}).ids("train") == rest
            True
        """
        if not isinstance(splits, Mapping) or any(isinstance(ids, str) for ids in splits.values()):
            raise TypeError(f"splits must map names to sequences of ids, but got {splits!r:.200}.")
        chosen = {split: list(ids) for split, ids in splits.items()}
        places = {
            name: (split, place)
            for split in self.splits
            for place, name in enumerate(self.ids(split))
        }
        counts = Counter(name for ids in chosen.values() for name in ids)
        if unknown := [name for name in counts if name not in places]:
            raise ValueError(
                f"splits must name conversations of the corpus, but got {unknown!r:.200}."
            )
        if twice := [name for name, count in counts.items() if count > 1]:
            raise ValueError(
                f"splits must name each conversation once, but got {twice!r:.200} twice."
            )
        parts: dict[str, list[Conversation]] = {}
        for split, ids in chosen.items():
            found = [places[name] for name in ids]
            parts[split] = [self.splits[home][place] for home, place in found]
        return Corpus(self.classes, parts, self.extractors)

    def select(self, modalities: Sequence[str]) -> "Corpus":
        """The same conversations with some of their modalities, in another order or joined.

        Args:
            modalities: Names of modalities; several joined by "+" are concatenated into one, which
                takes the first one's name. It is present where all of them are.

        Raises:
            ValueError: If a name is unknown or comes twice, or there is none.
            TypeError: If it is one string.
        """
        if isinstance(modalities, str):
            raise TypeError(f"modalities must be a sequence of names, but got {modalities!r}.")
        groups = [entry.split("+") for entry in modalities]
        counts = Counter(name for group in groups for name in group)
        wrong = [name for name, n in counts.items() if n > 1 or name not in self.in_channels]
        if wrong or not groups:
            raise ValueError(
                f"modalities must be among {list(self.in_channels)}, each at most once, but got "
                f"{wrong}."
            )
        return Corpus(
            self.classes,
            {
                split: [_select(conversation, groups) for conversation in conversations]
                for split, conversations in self.splits.items()
            },
            select_extractors(self.extractors, groups),
        )

    def __repr__(self) -> str:
        splits = ", ".join(f"{split}={len(each)}" for split, each in self.splits.items())
        labels = f"num_classes={self.num_classes}" if self.classes else "labels=scores"
        return f"{type(self).__name__}({splits}, in_channels={self.in_channels}, {labels})"


def make_corpus(contents: Contents) -> Corpus:
    """Makes a corpus of what a file has.

    Warns:
        UserWarning: If conversations are in no split.

    Raises:
        FormatError: With all that stands in the way.
    """
    problems = list(errors(contents.classes, contents.splits))
    if problems:
        raise FormatError.of(problems)
    if contents.unused:
        warnings.warn(say_unused(contents.unused), stacklevel=5)
    return Corpus(
        contents.classes,
        {split: [raw.checked() for raw in each] for split, each in contents.splits.items()},
        contents.extractors,
    )


def say_unused(ids: Sequence[str]) -> str:
    """How many conversations are in no split, and which the first are."""
    first = ", ".join(map(repr, ids[:3]))
    return f"conversations must be in a split, but {len(ids)} are in none, such as {first:.200}."


def _select(conversation: Conversation, groups: list[list[str]]) -> Conversation:
    present = conversation.present
    whole = {group[0]: torch.stack([present[name] for name in group], 1).all(1) for group in groups}
    return Conversation(
        {group[0]: torch.cat([conversation.features[n] for n in group], 1) for group in groups},
        conversation.speaker,
        conversation.y,
        whole,
        id=conversation.id,
        **({"score": conversation.score} if "score" in conversation else {}),
    )
