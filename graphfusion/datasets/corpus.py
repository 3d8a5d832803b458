"""A corpus: conversations in splits, all with the same modalities and classes."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from graphfusion.data.conversation import Conversation
from graphfusion.datasets._contents import Contents
from graphfusion.datasets._problems import errors, inconsistencies
from graphfusion.datasets._reading import FormatError


@dataclass(frozen=True, repr=False)
class Corpus:
    """Conversations in splits.

    Args:
        classes: The names of the classes that the labels number; none: the labels are scores.
        splits: `{split: conversations}`: "train" and whatever others there are ("dev", "test").
            Each conversation has labels `y` `[U]`, int64 (-100 where missing) or, where there are
            no classes, floating (NaN where missing); a further attribute `id`, a string; and
            perhaps another, `score` `[U]`, a score besides the class.

    Raises:
        TypeError: If `classes` is one string, or `splits` no mapping.
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
    splits: dict[str, list[Conversation]]

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

    @property
    def in_channels(self) -> dict[str, int]:
        """The size of each modality's feature vectors."""
        first = self.splits["train"][0]
        return {name: value.size(1) for name, value in first.features.items()}

    @property
    def num_classes(self) -> int:
        """The number of classes; 0: the labels are scores."""
        return len(self.classes)

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
