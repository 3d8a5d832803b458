"""Checks a table of utterances and its media files before extraction."""

import math
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from graphfusion._utils.checks import unique_names
from graphfusion._utils.warn import warn
from graphfusion.datasets.checks.consistency import names_of
from graphfusion.recordings.extractors.protocol import Need
from graphfusion.recordings.likely_mistakes import likely_mistakes
from graphfusion.recordings.media.container import TOLERANCE
from graphfusion.recordings.media.probe import MISSING, probe
from graphfusion.recordings.problems import Problem, TableError, group_problems, name_rows
from graphfusion.recordings.table import Utterance, by_file, labels_of, tidy, utterances

if TYPE_CHECKING:
    import pandas as pd


def check_table(
    table: "pd.DataFrame",
    needs: Collection[Need] = ("audio", "video"),
    classes: Sequence[str] | None = None,
) -> None:
    """Checks a table and its media files, and raises one error that lists every problem.

    Args:
        table: A table returned by :func:`read_table`.
        needs: The kinds of files to open.
        classes: The names of the classes; empty: labels are scores; None: any labels.

    Raises:
        TypeError: If `classes` is no sequence of strings.
        ValueError: If `classes` names one twice.
        TableError: If the table is invalid: a file is missing or unreadable; times are out of
            range or out of order; rows without times share a file; a conversation is in two splits;
            or a label is invalid.

    Warns:
        UserWarning: If labels, conversations, or speakers of a conversation, differ in case or
            spaces only; if training does not accept the splits; if a file is in two splits; or if
            the times of a conversation start again in another file.
    """
    classes = class_names(classes)
    rows = list(utterances(table))
    found = [*_wrong_times(rows), *_wrong_splits(rows), *_wrong_labels(rows, classes)]
    for need in needs:
        if need != "text":
            found += _wrong_files(rows, need)
    problems = [*group_problems(found), *_wrong_wholes(rows, needs, classes)]
    if problems:
        raise TableError(problems)
    for message in likely_mistakes(rows, classes):
        warn(message)


def class_names(classes: Sequence[str] | None) -> tuple[str, ...] | None:
    """Converts names of classes, if given, to a tuple, normalised as the labels of a table.

    Raises:
        TypeError: If they are no sequence of strings.
        ValueError: If one is named twice.
    """
    return classes if classes is None else unique_names("classes", map(tidy, names_of(classes)))


def _wrong_times(rows: list[Utterance]) -> Iterator[Problem]:
    last: dict[tuple[str, str | None], Utterance] = {}
    for each in rows:
        if (each.start is None) != (each.end is None):
            yield each.row, "start and end must both be given, or neither, but one is", ""
        elif each.start is not None and each.end is not None:
            if not 0 <= each.start < each.end < float("inf"):
                rule = "start must be at least 0 and before end"
                yield each.row, rule, f", but got {each.start:g} and {each.end:g}"
            place = each.conversation, each.audio or each.video
            before = last.get(place)
            if before is not None and before.start is not None and each.start < before.start:
                got = (
                    f", but it starts at {each.start:g} s, before row {before.row} of its "
                    f"conversation, at {before.start:g} s"
                )
                yield each.row, "utterances must be in order", got
            last[place] = each


def _wrong_splits(rows: list[Utterance]) -> Iterator[Problem]:
    first: dict[str, Utterance] = {}
    for each in rows:
        known = first.setdefault(each.conversation, each)
        if known.split != each.split:
            got = f", but is in {each.split!r} and, in row {known.row}, in {known.split!r}"
            yield each.row, f"conversation {each.conversation!r} must be in one split{got}", ""


def _wrong_labels(rows: list[Utterance], classes: Sequence[str] | None) -> Iterator[Problem]:
    for row, label in labels_of(rows) if classes is not None else ():
        if not classes and not (_is_score(label, whole=True) and not math.isinf(float(label))):
            yield row, f"label must be a finite score, but is {label!r}", ""
        elif classes and label not in classes:
            yield row, f"label must be one of {list(classes)}, but is {label!r}", ""


def _is_score(label: str | float, whole: bool = False) -> bool:
    try:
        value = float(label)
    except ValueError:
        return False
    # "0" and "1" can be names of classes, unlike 0.0 from a column of floats.
    return whole or isinstance(label, float) or not value.is_integer()


def _wrong_files(rows: list[Utterance], need: Need) -> Iterator[Problem]:
    measure = cache(probe)
    for each in rows:
        path = getattr(each, need)
        if path is None:
            continue
        duration = measure(path, need)
        if isinstance(duration, str):
            rule, got = f"{need} must be a readable file", f", but {path}: {duration}"
            # All missing files are one problem, such as a wrong folder.
            yield (each.row, rule, got) if duration == MISSING else (each.row, rule + got, "")
        elif each.end is not None and each.end > duration + TOLERANCE:
            rule = f"end must be within the {need} of {path}, which lasts {duration:.2f} s"
            yield each.row, rule, f", but is {each.end:g}"


def _wrong_wholes(
    rows: list[Utterance], needs: Collection[Need], classes: Sequence[str] | None
) -> Iterator[str]:
    """Yields problems of several rows together."""
    for path, members in by_file(rows, needs).items():
        untimed = [each.row for each in members if each.start is None and each.end is None]
        if untimed and len(members) > 1:
            yield (
                f"{name_rows(untimed)}: start and end must be given where rows share a file, but "
                f"are empty, and {path} is in {name_rows([each.row for each in members])}."
            )
    if "train" not in {each.split for each in rows}:
        splits = sorted({each.split for each in rows})
        yield f"splits: one must be 'train', but got {splits}."
    labels = labels_of(rows)
    if classes is None and labels and all(_is_score(label) for _, label in labels):
        yield (
            f"labels: must be names of classes, but are numbers, such as {labels[0][1]}; pass "
            "classes=() if they are scores, or name the classes."
        )
