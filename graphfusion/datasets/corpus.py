"""A corpus: conversations in splits, all with the same modalities and classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from graphfusion.data.conversation import Conversation
from graphfusion.data.labels import LabelSpec
from graphfusion.datasets._fingerprint import corpus_fingerprint
from graphfusion.datasets._lazy import channels_of, first_labels, ids_of, labels_of, regroup
from graphfusion.datasets._selected import groups_of, select
from graphfusion.datasets.checks.consistency import check_corpus
from graphfusion.datasets.checks.extractors import check_extractors, select_extractors
from graphfusion.datasets.checks.words import describe
from graphfusion.datasets.tables.features import Source
from graphfusion.datasets.tables.from_table import Columns, read_table
from graphfusion.datasets.tables.to_table import to_frame


@dataclass(frozen=True, repr=False)
class Corpus:
    """Conversations in splits.

    Args:
        classes: The names of the classes that the labels number; none: the labels are scores.
        splits: `{split: conversations}`, sequences: "train" and whatever others there are ("dev",
            "test"). Each conversation has labels `y`; a further attribute `id`, a string; and
            perhaps another, `score` `[U]`, a score besides the class. Labels are int64 `[U]`, one
            class each (-100 where missing); floating `[U, K]`, several of the K classes at once (1
            or 0; NaN where missing); or, without classes, floating `[U]` (NaN where missing).
        extractors: `{modality: fingerprint}`, what made the features of a modality, as far as it is
            known: an object of what JSON has, such as the package, model, revision and options.
        turns: `{id: turns}`, what the column `turn` of a table has for each utterance of a
            conversation, in order. Files of :func:`save` do not keep it.

    Raises:
        TypeError: If `classes` is one string, `splits` no mapping, or `extractors` not of what
            JSON has.
        ValueError: If two classes have the same name, there is no conversation to train on, two
            have the same id, or one has other modalities, sizes or kinds of labels than the rest,
            or a label that is none.

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
    turns: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_corpus(self.classes, self.splits, self.turns)
        known = check_extractors(self.extractors, self.in_channels)
        object.__setattr__(self, "extractors", known)  # a copy; frozen

    @classmethod
    def from_table(
        cls,
        frame: Any,
        features: Mapping[str, Source] | Sequence[str],
        conversation: str = "conversation",
        turn: str | None = "turn",
        speaker: str | None = "speaker",
        label: str | Sequence[str] | None = "label",
        split: str | None = "split",
        score: str | None = None,
        classes: Sequence[str] | None = None,
    ) -> "Corpus":
        """Makes a corpus of a table with a row for each utterance, in any order.

        Needs the extra `tables`. A null (None, NaN) is a label, score or vector that is missing.

        Args:
            frame: Of pandas or Arrow, or whatever speaks Arrow's or the data frames' interchange
                protocol, or has `to_pandas`.
            features: Where each modality is: a column of vectors (lists, arrays, or lists in JSON),
                a list of columns of numbers, or an array or tensor `[rows, d]` beside the table. A
                vector of nothing but NaN counts as missing, which is warned of where no null says
                so. Or the names of columns that are modalities.
            conversation: The column that says which conversation a row is of.
            turn: That by which its utterances are sorted, numbers or times; None: as they stand.
                `turns` keeps it.
            speaker: That of who says it, names or numbers; None: always the same one.
            label: That of labels: names of classes; integers that number them, -1 or -100 where
                missing; or floats, scores. Several columns, of 1 and 0 or of bools: each has the
                name of one of several classes at once. None: all labels are missing.
            split: That of splits; None: all are in "train".
            score: That of scores besides classes; None: there are none.
            classes: The names of the classes, in order; none of them: the labels are scores. None:
                the names among the labels, sorted, or their numbers.

        Raises:
            ImportError: If pandas or pyarrow is not installed.
            FormatError: If anything in the table is wrong: a `ValueError` with all of it, by row
                (counted from 0) and column.
            TypeError: If `frame` is no table, or `features` names no modalities.
            ValueError: If `label` names columns twice, or others than `classes`.

        Warns:
            UserWarning: If vectors of nothing but NaN count as missing; it says how many.

        Example:
            >>> import pandas as pd
            >>> from graphfusion.datasets import Corpus
            >>> frame = pd.DataFrame({
            ...     "conversation": ["a", "a"], "turn": [2, 1], "speaker": ["Bob", "Ann"],
            ...     "emotion": ["glad", None], "text": [[0.1, 0.2], [0.3, 0.4]]})
            >>> Corpus.from_table(frame, ["text"], label="emotion", split=None).splits["train"][0].y
            tensor([-100,    0])
        """
        columns = Columns(conversation, turn, speaker, label, split, score)
        found, splits, turns = read_table(frame, features, columns, classes)
        return Corpus(found, splits, turns=turns)

    def to_table(self) -> Any:
        """A frame of pandas with a row for each utterance.

        Its columns are `conversation`, `turn` (from 0), `split`, `speaker`, `label` (the class's
        name, or the score; of several classes at once, a column of 1 and 0 with the name of each),
        `score` if there is one, and one of vectors for each modality; null where there is none.
        :meth:`from_table` makes the same corpus of it, given the modalities and the classes
        (several: as `label`), but for splits without conversations, numbers of speakers, which are
        those of first appearance, and what stands in place of absent features.

        Raises:
            ImportError: If pandas or pyarrow is not installed.
            ValueError: If a modality, or one of several classes, has the name of another column.
        """
        spec = LabelSpec(self.task, self.classes)
        return to_frame(spec, self.splits, list(self.in_channels))

    @property
    def in_channels(self) -> dict[str, int]:
        """The size of each modality's feature vectors."""
        return channels_of(self.splits["train"])

    @property
    def num_classes(self) -> int:
        """The number of classes; 0: the labels are scores."""
        return len(self.classes)

    @property
    def task(self) -> str:
        """What the labels are for: "classification", "multilabel" or "regression" (of scores)."""
        return LabelSpec.of(self.classes, first_labels(self.splits["train"])).task

    @property
    def fingerprint(self) -> str:
        """A checksum, in hexadecimal digits, of all names, labels, features and their order.

        Two corpora that hold the same have the same, to the bit, in memory or in a file; of what
        `extractors` say, it knows nothing.
        """
        return corpus_fingerprint(self.classes, self.splits)

    def ids(self, split: str) -> list[str]:
        """The ids of a split's conversations.

        Raises:
            KeyError: If there is no such split.
        """
        return ids_of(self.splits[split])

    def labels(self, split: str) -> list[Tensor]:
        """The labels `y` of a split's conversations, `[U]` or `[U, K]`; no features are read.

        Raises:
            KeyError: If there is no such split.
        """
        return labels_of(self.splits[split])

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
        return Corpus(self.classes, regroup(self.splits, splits), self.extractors, self.turns)

    def select(self, modalities: Sequence[str]) -> "Corpus":
        """The same conversations with some of their modalities, in another order or joined.

        Args:
            modalities: Names of modalities; several joined by "+" are concatenated into one, which
                takes the first one's name. It is present where all of them are.

        Raises:
            ValueError: If a name is unknown or comes twice, or there is none.
            TypeError: If it is one string.
        """
        groups = groups_of(modalities, self.in_channels)
        return Corpus(
            self.classes,
            {split: select(each, groups) for split, each in self.splits.items()},
            select_extractors(self.extractors, groups),
            self.turns,
        )

    def __repr__(self) -> str:
        sizes = {split: len(each) for split, each in self.splits.items()}
        spec = LabelSpec(self.task, self.classes)
        return f"{type(self).__name__}({describe(sizes, self.in_channels, spec)})"
