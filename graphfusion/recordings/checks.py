"""Checks a table of utterances and its media files before extraction."""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from graphfusion.recordings.extractors.protocol import Need
from graphfusion.recordings.media.probe import probe
from graphfusion.recordings.table import TableError, Utterance, utterances

if TYPE_CHECKING:
    import pandas as pd

# Tolerance for rounded times, in seconds.
TOLERANCE = 0.1


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
        TableError: If the table is invalid: a file is missing or unreadable; times are out of
            range or out of order; a conversation is in two splits; or a label is invalid.
    """
    rows = list(utterances(table))
    problems = [*_wrong_times(rows), *_wrong_splits(rows), *_wrong_labels(rows, classes)]
    for need in needs:
        if need != "text":
            problems += _wrong_files(rows, need)
    if problems:
        raise TableError(problems)


def _wrong_times(rows: list[Utterance]) -> Iterator[str]:
    last: dict[tuple[str, str | None], Utterance] = {}
    for each in rows:
        if (each.start is None) != (each.end is None):
            yield f"row {each.row}: start and end must both be given, or neither, but one is."
        elif each.start is not None and each.end is not None:
            if not 0 <= each.start < each.end < float("inf"):
                yield (
                    f"row {each.row}: start must be at least 0 and before end, but got "
                    f"{each.start:g} and {each.end:g}."
                )
            place = each.conversation, each.audio or each.video
            before = last.get(place)
            if before is not None and before.start is not None and each.start < before.start:
                yield (
                    f"row {each.row}: utterances must be in order, but it starts at "
                    f"{each.start:g} s, before row {before.row} of its conversation, at "
                    f"{before.start:g} s."
                )
            last[place] = each


def _wrong_splits(rows: list[Utterance]) -> Iterator[str]:
    first: dict[str, Utterance] = {}
    for each in rows:
        known = first.setdefault(each.conversation, each)
        if known.split != each.split:
            yield (
                f"row {each.row}: conversation {each.conversation!r} must be in one split, but is "
                f"in {each.split!r} and, in row {known.row}, in {known.split!r}."
            )
    if "train" not in {each.split for each in rows}:
        splits = sorted({each.split for each in rows})
        yield f"splits: one must be 'train', but got {splits}."


def _wrong_labels(rows: list[Utterance], classes: Sequence[str] | None) -> Iterator[str]:
    labels = [(each.row, each.label) for each in rows if each.label is not None]
    if classes is None:
        if labels and all(_is_score(label) for _, label in labels):
            yield (
                f"labels: must be names of classes, but are numbers, such as {labels[0][1]}; pass "
                "classes=() if they are scores, or name the classes."
            )
        return
    for row, label in labels:
        if not classes and not (_is_score(label, whole=True) and not math.isinf(float(label))):
            yield f"row {row}: label must be a finite score, but is {label!r}."
        elif classes and label not in classes:
            yield f"row {row}: label must be one of {list(classes)}, but is {label!r}."


def _is_score(label: str | float, whole: bool = False) -> bool:
    try:
        value = float(label)
    except ValueError:
        return False
    # "0" and "1" can be names of classes, unlike 0.0 from a column of floats.
    return whole or isinstance(label, float) or not value.is_integer()


def _wrong_files(rows: list[Utterance], need: Need) -> Iterator[str]:
    durations: dict[str, float | str] = {}
    for each in rows:
        path = each.audio if need == "audio" else each.video
        if path is None:
            continue
        if path not in durations:
            durations[path] = probe(path, need)
        duration = durations[path]
        if isinstance(duration, str):
            yield f"row {each.row}: {need} must be a readable file, but {path}: {duration}."
        elif each.end is not None and each.end > duration + TOLERANCE:
            yield (
                f"row {each.row}: end must be within {path}, which lasts {duration:.2f} s, but is "
                f"{each.end:g}."
            )
