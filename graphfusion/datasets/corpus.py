"""A corpus: conversations in splits, all with the same modalities and classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from graphfusion.conversation import Conversation
from graphfusion.datasets._reading import about


@dataclass(frozen=True, repr=False)
class Corpus:
    """Conversations in splits.

    Args:
        classes: The names of the classes that the labels number.
        splits: `{split: conversations}`: "train" and whatever others there are ("dev", "test").
            Each conversation has labels `y` `[U]` int64 and a further attribute `id`, a string.

    Raises:
        ValueError: If two classes have the same name, there is no conversation to train on, two
            have the same id, or one has other modalities or sizes than the rest, or a label that
            numbers no class.

    Example:
        >>> import torch
        >>> from graphfusion import Conversation
        >>> from graphfusion.datasets import Corpus
        >>> talk = Conversation(
        ...     {"text": torch.zeros(3, 5), "audio": torch.zeros(3, 4), "tone": torch.zeros(3, 2)},
        ...     speaker=torch.tensor([0, 1, 0]), y=torch.tensor([0, 0, 1]), id="talk")
        >>> corpus = Corpus(("calm", "angry"), {"train": [talk]})
        >>> corpus.select(["text", "audio+tone"]).in_channels
        {'text': 5, 'audio': 6}
    """

    classes: tuple[str, ...]
    splits: dict[str, list[Conversation]]

    def __post_init__(self) -> None:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes must be unique, but got {', '.join(self.classes)}.")
        if not self.splits.get("train"):
            raise ValueError(
                f"splits must have conversations in 'train', but got {list(self.splits)}."
            )
        home: dict[str, str] = {}
        for split, conversations in self.splits.items():
            for conversation in conversations:
                name = getattr(conversation, "id", None)
                if not isinstance(name, str):
                    raise ValueError(f"conversations must have a string as id, but got {name!r}.")
                with about(name):
                    if name in home:
                        raise ValueError(
                            f"must be in one split, once, but is in {home[name]!r} and {split!r}."
                        )
                    home[name] = split
                    self._check(conversation)

    def _check(self, conversation: Conversation) -> None:
        sizes = _in_channels(conversation)
        if list(sizes.items()) != list(self.in_channels.items()):  # their order counts, too
            raise ValueError(
                f"features must have the modalities and sizes {self.in_channels} of the corpus, "
                f"but got {sizes}."
            )
        y = conversation.y
        if y is None or y.dim() != 1 or y.dtype != torch.int64:
            got = None if y is None else f"{y.dtype} of shape {list(y.shape)}"
            raise ValueError(f"y must be one int64 an utterance, but got {got}.")
        for utterance, label in enumerate(y.tolist()):
            if not 0 <= label < self.num_classes:
                raise ValueError(
                    f"labels must be in [0, {self.num_classes}), but utterance {utterance} has "
                    f"{label}."
                )

    @property
    def in_channels(self) -> dict[str, int]:
        """The size of each modality's feature vectors."""
        return _in_channels(self.splits["train"][0])

    @property
    def num_classes(self) -> int:
        """The number of classes."""
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
        splits = ", ".join(f"{split}={len(talks)}" for split, talks in self.splits.items())
        return f"Corpus({splits}, in_channels={self.in_channels}, num_classes={self.num_classes})"


def _in_channels(conversation: Conversation) -> dict[str, int]:
    return {name: value.size(1) for name, value in conversation.features.items()}


def _select(conversation: Conversation, groups: list[list[str]]) -> Conversation:
    column = {name: m for m, name in enumerate(conversation.features)}
    return Conversation(
        {group[0]: torch.cat([conversation.features[n] for n in group], 1) for group in groups},
        conversation.speaker,
        conversation.y,
        torch.stack([conversation.present[:, [column[n] for n in g]].all(1) for g in groups], 1),
        id=conversation.id,
    )
