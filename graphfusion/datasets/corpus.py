"""The `Corpus` class: conversations in splits that share their modalities and classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from graphfusion.data.conversation import Conversation
from graphfusion.data.labels import LabelSpec
from graphfusion.datasets._fingerprint import corpus_fingerprint
from graphfusion.datasets._lazy import channels_of, first_labels, ids_of, labels_of, regroup
from graphfusion.datasets._selected import groups_of, select
from graphfusion.datasets.checks.consistency import check_corpus, names_of
from graphfusion.datasets.checks.extractors import check_extractors, select_extractors
from graphfusion.datasets.checks.summary import describe_corpus
from graphfusion.datasets.tables.features import Source
from graphfusion.datasets.tables.from_table import Columns, read_table
from graphfusion.datasets.tables.to_table import to_frame


@dataclass(frozen=True, repr=False)
class Corpus:
    """A data set of conversations in splits, which share their modalities and classes.

    Args:
        classes: The names of the classes, in the order of their numbers; empty: the labels are
            scores.
        splits: `{split: conversations}`: "train", and any others such as "dev" and "test". Each
            conversation has labels `y`, a string attribute `id`, and optionally `score` `[U]`, a
            score in addition to the class. Labels are int64 `[U]`, class numbers (-100 where
            missing); floating `[U, K]`, multilabel (1 or 0; NaN where missing); or, without
            classes, floating `[U]`, scores (NaN where missing).
        extractors: `{modality: fingerprint}`: how the features of a modality were extracted, if
            known. A fingerprint is a JSON object, such as the package, model, revision and options.
            Predictions refuse features with another fingerprint than in training.
        turns: `{id: turns}`, the values of a table's column `turn` for each utterance of a
            conversation, in order. :func:`save` does not store them.

    Raises:
        TypeError: If `classes` is no sequence of strings, `splits` is not a mapping, or
            `extractors` cannot be represented in JSON.
        ValueError: If class names or ids are empty or not unique, "train" is empty, a label or
            score is invalid, or conversations differ in their modalities, sizes or kinds of labels,
            or only some have a score.

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
        object.__setattr__(self, "classes", names_of(self.classes))
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
        """Creates a corpus from a table with one row per utterance, in any order.

        Needs the extra `tables`. Nulls (None, NaN) are missing labels, scores or vectors.

        Args:
            frame: A frame of pandas or Arrow, or any object that supports Arrow's C stream or the
                dataframe interchange protocol, or has a method `to_pandas`.
            features: Names of columns of vectors, or `{modality: source}`. A source is a column of
                vectors (lists, arrays or JSON lists), a list of columns of numbers, or an array or
                tensor `[rows, d]`. A list of columns is kept in `extractors`, to refuse others at
                prediction. Vectors that are all NaN count as missing.
            conversation: The column of conversation ids.
            turn: The column to sort a conversation's utterances by, numbers or times; None: the
                order of the rows. Its values are kept in `turns`.
            speaker: The column of speakers, names or numbers; None: a single speaker.
            label: The column of class names; of class numbers, -1 or -100 where missing; or of
                floats, which are scores. Several columns of 1 and 0, or bools: multilabel, with
                their names as classes. None: all are missing.
            split: The column of splits; None: all conversations are in "train".
            score: The column of scores in addition to classes; None: no scores.
            classes: The names of the classes, in order; empty: the labels are scores; None: the
                sorted names among the labels, or their numbers.

        Raises:
            ImportError: If pandas or pyarrow is not installed.
            FormatError: If the table is invalid: a `ValueError` that lists every problem by row
                (counted from 0) and column.
            TypeError: If `frame` is not a table, `features` or a source is of another kind, or
                `classes` is no sequence of strings.
            ValueError: If `label` names a column twice, or its columns differ from `classes`.

        Warns:
            UserWarning: If vectors that are not null are all NaN, or names of classes differ in
                case or spaces only.

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
        found, splits, extractors, turns = read_table(frame, features, columns, classes)
        return Corpus(found, splits, extractors, turns)

    def to_table(self) -> Any:
        """Converts the corpus to a pandas frame with one row per utterance.

        The columns are `conversation`, `turn` (from 0), `split`, `speaker`, `label` (class names or
        scores; multilabel: a column of 1 and 0 for each class instead), `score` if there is one,
        and a column of vectors for each modality. Missing values are null.

        :meth:`from_table` restores the corpus, given the modalities and the classes (multilabel: as
        `label`), without empty splits and placeholders of absent features. It renumbers speakers
        by first appearance.

        Raises:
            ImportError: If pandas or pyarrow is not installed.
            ValueError: If a modality, or a class of multilabel, has the name of another column, or
                only some conversations have a score.
        """
        spec = LabelSpec(self.task, self.classes)
        return to_frame(spec, self.splits, list(self.in_channels))

    @property
    def in_channels(self) -> dict[str, int]:
        """The size of each modality's feature vectors."""
        return channels_of(self.splits["train"])

    @property
    def num_classes(self) -> int:
        """The number of classes; 0 if the labels are scores."""
        return len(self.classes)

    @property
    def task(self) -> str:
        """The task of the labels: "classification", "multilabel" or "regression" (scores)."""
        return LabelSpec.of(self.classes, first_labels(self.splits["train"])).task

    @property
    def fingerprint(self) -> str:
        """A checksum, in hexadecimal, of all names, labels, features and their order.

        Corpora with bit-identical content have the same fingerprint, in memory or in a file.
        `extractors` are not included.
        """
        return corpus_fingerprint(self.classes, self.splits)

    def ids(self, split: str) -> list[str]:
        """Returns the ids of a split's conversations.

        Raises:
            KeyError: If the split does not exist.
        """
        return ids_of(self.splits[split])

    def labels(self, split: str) -> list[Tensor]:
        """Returns the labels `[U]` or `[U, K]` of a split's conversations, without their features.

        Raises:
            KeyError: If the split does not exist.
        """
        return labels_of(self.splits[split])

    def with_splits(self, splits: Mapping[str, Sequence[str]]) -> "Corpus":
        """Returns a corpus with the same conversations in other splits, without reading features.

        Args:
            splits: `{split: ids}`, in the new order; conversations that are not named are left
                out.

        Raises:
            TypeError: If `splits` is not a mapping of names to sequences of ids.
            ValueError: If an id is unknown or occurs twice, or "train" is empty.
        """
        return Corpus(self.classes, regroup(self.splits, splits), self.extractors, self.turns)

    def select(self, modalities: Sequence[str]) -> "Corpus":
        """Returns a corpus with the selected modalities, reordered or concatenated.

        Args:
            modalities: The names of modalities. Names joined by "+" are concatenated into one
                modality, which takes the first name and is present where all of them are.

        Raises:
            ValueError: If a name is unknown or occurs twice, or `modalities` is empty.
            TypeError: If `modalities` is one string.
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
        return f"{type(self).__name__}({describe_corpus(sizes, self.in_channels, spec)})"
