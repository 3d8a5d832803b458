"""Converts a table with one row per utterance to the conversations of a corpus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import torch

from graphfusion._utils.checks import unique_names
from graphfusion.data.conversation import Conversation
from graphfusion.datasets.checks.consistency import names_of
from graphfusion.datasets.readers._reading import number_speakers
from graphfusion.datasets.tables.features import Source, columns_of, read_features, sources_of
from graphfusion.datasets.tables.frames import to_pandas
from graphfusion.datasets.tables.labels import read_labels, read_scores, values_of
from graphfusion.datasets.tables.problems import TableProblems

Contents: TypeAlias = tuple[
    tuple[str, ...],
    dict[str, list[Conversation]],
    dict[str, dict[str, list[str]]],
    dict[str, list[Any]],
]


@dataclass(frozen=True)
class Columns:
    """The names of a table's columns; None: the table has no such column.

    Args:
        conversation: The id of the row's conversation.
        turn: The sort key of the utterances.
        speaker: The speaker.
        label: The label; several columns for multilabel, one per class.
        split: The split of the row's conversation.
        score: A score in addition to the class.
    """

    conversation: str = "conversation"
    turn: str | None = "turn"
    speaker: str | None = "speaker"
    label: str | Sequence[str] | None = "label"
    split: str | None = "split"
    score: str | None = None

    def __post_init__(self) -> None:
        if self.label is not None and not isinstance(self.label, str):
            names = unique_names("label", self.label)
            if not names:
                raise ValueError("label must name a column, or be None, but is empty.")
            object.__setattr__(self, "label", names)  # frozen

    @property
    def taken(self) -> list[str]:
        """The names of all columns that have a role."""
        found: list[str] = []
        for each in vars(self).values():
            found += each if isinstance(each, tuple) else [each]
        return [each for each in found if each is not None]


def read_table(
    frame: object,
    features: object,
    columns: Columns,
    classes: Sequence[str] | None,
) -> Contents:
    """Reads the contents of a corpus from a table.

    Args:
        frame: A table of any supported library.
        features: The source of each modality, or the names of columns.
        columns: The names of the other columns.
        classes: The names of the classes; None: inferred from the labels.

    Returns:
        The classes; `{split: conversations}`; `{modality: {"columns": names}}` of those in several
        columns; and `{id: turns}`.

    Raises:
        FormatError: If the table is invalid; it lists every problem.
        TypeError: If `frame` is not a table, `features` names no modalities, or `classes` is no
            sequence of strings.
    """
    return _read(to_pandas(frame), sources_of(features), columns, class_names(classes))


def class_names(classes: object) -> tuple[str, ...] | None:
    """Converts names of classes, if given, to a tuple.

    Raises:
        TypeError: If they are no sequence of strings.
    """
    if classes is None:
        return None
    if isinstance(classes, str) and not classes:  # of the command line
        return ()
    return names_of(classes)


def _read(
    frame: Any,
    features: Mapping[str, Source],
    columns: Columns,
    classes: Sequence[str] | None,
) -> Contents:
    problems = TableProblems()
    _check_columns(frame, features, columns, problems)
    problems.raise_if_any()
    size = len(frame)
    ids = _names(frame, columns.conversation, "conversation", problems)
    blank = [row for row, name in enumerate(ids) if not name]
    problems.add_rows(columns.conversation, "must not be empty", blank, ids.__getitem__)
    members: dict[str, list[int]] = {}
    for row, name in enumerate(ids):
        members.setdefault(name, []).append(row)
    turns: dict[str, list[Any]] = {}
    if columns.turn is not None:
        turn = _sort(frame, columns.turn, members, problems)
        turns = {name: [turn[row] for row in rows] for name, rows in members.items()}
    splits = ["train"] * size
    if columns.split is not None:
        splits = _names(frame, columns.split, "split", problems)
        _check_splits(columns.split, splits, members, problems)
    speakers = [""] * size
    if columns.speaker is not None:
        speakers = _names(frame, columns.speaker, "speaker", problems)
    found, y = read_labels(frame, columns.label, classes, problems)
    further = {}
    if columns.score is not None:
        score = values_of(frame, columns.score)
        further["score"] = read_scores(columns.score, *score, problems)
    vectors = {name: read_features(name, each, frame, problems) for name, each in features.items()}
    problems.raise_if_any()
    corpus: dict[str, list[Conversation]] = {split: [] for split in dict.fromkeys(splits)}
    for name, rows in members.items():
        picked = torch.tensor(rows)
        conversation = Conversation(
            {each: torch.from_numpy(matrix[rows]) for each, (matrix, _) in vectors.items()},
            number_speakers(speakers[row] for row in rows),
            y[picked],
            {each: torch.from_numpy(here[rows]) for each, (_, here) in vectors.items()},
            id=name,
            **{key: values[picked] for key, values in further.items()},
        )
        corpus[splits[rows[0]]].append(conversation)
    several = {
        name: {"columns": [str(column) for column in columns_of(each)]}
        for name, each in features.items()
        if not isinstance(each, str | np.ndarray | torch.Tensor)
    }
    return found, corpus, several, turns


def _check_columns(
    frame: Any, features: Mapping[str, Source], columns: Columns, problems: TableProblems
) -> None:
    there = list(frame.columns)
    optional = ("turn", "speaker", "label", "split", "score")
    wanted = {columns.conversation: ""}
    for role in optional:
        names = getattr(columns, role)
        for name in names if isinstance(names, tuple) else [names]:
            if name is not None:
                wanted.setdefault(
                    name,
                    f" (pass {role}=None if there is none; in a shell, `graphfusion convert FILE "
                    f"OUT --columns {role}=`)",
                )
    for source in features.values():
        wanted |= dict.fromkeys(columns_of(source), "")
    for name, hint in wanted.items():
        if name not in there:
            message = f"must be in the table, but is missing{hint}; it has {there!r:.200}."
            problems.add_column(name, message)
        elif there.count(name) > 1:
            problems.add_column(name, "must be in the table once, but comes twice.")
    if not problems.found and len(frame) == 0:
        problems.add_column(columns.conversation, "must have a row, but has none.")


def _names(frame: Any, column: str, what: str, problems: TableProblems) -> list[str]:
    """Reads one name per row, from strings or integers."""
    values, missing = values_of(frame, column)
    empty = missing.nonzero()[0].tolist()
    problems.add_rows(column, f"must have a {what}", empty, lambda _: None)
    odd = [
        row
        for row, value in enumerate(values)
        if not missing[row] and (isinstance(value, bool) or not isinstance(value, str | int))
    ]
    problems.add_rows(column, "must be a string or an integer", odd, values.__getitem__)
    return [str(value) for value in values]


def _sort(
    frame: Any, column: str, members: dict[str, list[int]], problems: TableProblems
) -> list[Any]:
    """Sorts the rows of each conversation in place by a column, and returns its values."""
    values, nulls = values_of(frame, column)
    missing = nulls.nonzero()[0].tolist()
    problems.add_rows(column, "must have a number or a time", missing, lambda _: None)
    times = frame[column].dtype.kind in "mM"
    odd = [
        row
        for row, value in enumerate(values)
        if not times and (isinstance(value, bool) or not isinstance(value, int | float))
    ]
    odd = sorted(set(odd) - set(missing))
    rule = "must be a number or a time (strings sort as '10' before '9')"
    problems.add_rows(column, rule, odd, values.__getitem__)
    if missing or odd:
        return values
    twice = []
    for rows in members.values():
        rows.sort(key=values.__getitem__)
        twice += [later for row, later in pairwise(rows) if values[row] == values[later]]
    rule = "must be different in each row of a conversation"
    problems.add_rows(column, rule, sorted(twice), values.__getitem__)
    return values


def _check_splits(
    column: str, splits: list[str], members: dict[str, list[int]], problems: TableProblems
) -> None:
    for name, rows in members.items():
        first = splits[rows[0]]
        other = sorted(row for row in rows if splits[row] != first)
        rule = f"must be {first!r} as in all of conversation {name!r}"
        problems.add_rows(column, rule, other, splits.__getitem__)
    if "train" not in splits:
        problems.add_column(column, f"must have 'train', but has {sorted(set(splits))!r:.200}.")
