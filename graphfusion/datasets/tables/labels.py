"""Reads the labels of a table: class names, class numbers, multilabel columns, or scores."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphfusion.data.labels import MISSING, LabelSpec
from graphfusion.datasets.checks.labels import typos
from graphfusion.datasets.readers._labels import check_positions, label_kind, to_score, to_y
from graphfusion.datasets.tables.problems import TableProblems, to_float

_MAX_UNNAMED = 1000  # maximum number of classes without names, or the number of rows if larger


def values_of(frame: Any, column: str) -> tuple[list[Any], NDArray[np.bool_]]:
    """Returns the values of a pandas column, and a mask of missing ones."""
    values = frame[column].tolist()
    # In a column of Arrow, NaN is not null.
    nan = np.array([isinstance(each, float) and each != each for each in values], bool)
    return values, frame[column].isna().to_numpy(bool) | nan


def read_labels(
    frame: Any,
    label: str | Sequence[str] | None,
    classes: Sequence[str] | None,
    problems: TableProblems,
) -> tuple[tuple[str, ...], Tensor]:
    """Reads the names of the classes, and the label of each row.

    Args:
        frame: The pandas table.
        label: The column of labels; several columns: multilabel, one per class; None: no labels.
        classes: The names of the classes; empty: the labels are scores; None: inferred.
        problems: Collects problems.

    Raises:
        ValueError: If `classes` differ from the names of several columns.
    """
    if label is None:
        return unlabelled(len(frame), classes)
    if isinstance(label, str):
        return _single(label, *values_of(frame, label), classes, problems)
    return _multilabel(frame, tuple(label), classes, problems)


def _multilabel(
    frame: Any, label: tuple[str, ...], classes: Sequence[str] | None, problems: TableProblems
) -> tuple[tuple[str, ...], Tensor]:
    """Reads multilabel columns of 0 and 1, one per class, NaN where missing."""
    if classes is not None and tuple(classes) != label:
        raise ValueError(
            f"classes must be left out where label names a column for each, {list(label)}, but got "
            f"{list(classes)}."
        )
    y = np.full((len(frame), len(label)), np.nan, np.float32)
    for place, column in enumerate(label):
        values, missing = values_of(frame, column)
        known = [row for row in range(len(values)) if not missing[row]]
        odd = [row for row in known if not _is_binary(values[row])]
        rule = "must be 1 or 0, true or false, or null where missing"
        problems.add_rows(column, rule, odd, values.__getitem__)
        if not odd:
            y[known, place] = [values[row] for row in known]
    return label, torch.from_numpy(y)


def _is_binary(value: object) -> bool:
    return isinstance(value, int | float) and value in (0, 1)  # bool is a subclass of int


def _single(
    column: str,
    values: list[Any],
    missing: NDArray[np.bool_],
    classes: Sequence[str] | None,
    problems: TableProblems,
) -> tuple[tuple[str, ...], Tensor]:
    """Reads a single column of class names, class numbers or scores."""
    known = [row for row in range(len(values)) if not missing[row]]
    if not known:
        return unlabelled(len(values), classes)
    names = isinstance(values[known[0]], str)
    kind = str if names else (int, float)
    odd = [row for row in known if not isinstance(values[row], kind) or values[row] is True]
    if odd:
        kind_name = "name" if names else "number"
        rule = f"must be a {kind_name} like the first label"
        problems.add_rows(column, rule, odd, values.__getitem__)
        return unlabelled(len(values), classes)
    return (_named if names else _numbered)(column, values, known, classes, problems)


def unlabelled(size: int, classes: Sequence[str] | None) -> tuple[tuple[str, ...], Tensor]:
    """Returns the classes and missing labels `[size]`: class numbers, or scores without classes."""
    classes = tuple(classes or ())
    return classes, LabelSpec.of(classes, None).blank(size)


def read_scores(
    column: str, values: list[Any], missing: NDArray[np.bool_], problems: TableProblems
) -> Tensor:
    """Reads one score per row, `[rows]` float32, NaN where missing."""
    known = [row for row in range(len(values)) if not missing[row]]
    odd = [row for row in known if isinstance(values[row], bool) or not _is_finite(values[row])]
    problems.add_rows(column, "must be a finite number", odd, values.__getitem__)
    whole = np.full(len(values), np.nan)
    if not odd:
        whole[known] = [values[row] for row in known]
    return to_score(whole)


def _named(
    column: str,
    values: list[Any],
    known: list[int],
    classes: Sequence[str] | None,
    problems: TableProblems,
) -> tuple[tuple[str, ...], Tensor]:
    if classes is None:
        blank = [row for row in known if not values[row].strip()]
        problems.add_rows(
            column, "must be a name, or null where missing", blank, values.__getitem__
        )
        classes = sorted({values[row] for row in known})
        if typo := typos(column, classes):
            problems.warnings.append(typo)
    numbers = {name: number for number, name in enumerate(classes)}
    unknown = [row for row in known if values[row] not in numbers]
    rule = f"must be one of the classes {list(classes)}" if classes else "must be a score"
    problems.add_rows(column, rule, unknown, values.__getitem__)
    y = torch.full((len(values),), MISSING)
    y[known] = torch.tensor([numbers.get(values[row], MISSING) for row in known])
    return tuple(classes), y


def _numbered(
    column: str,
    values: list[Any],
    known: list[int],
    classes: Sequence[str] | None,
    problems: TableProblems,
) -> tuple[tuple[str, ...], Tensor]:
    integers = all(isinstance(values[row], int) for row in known)
    whole = np.full(len(values), np.nan)
    whole[known] = [to_float(values[row]) for row in known]
    try:
        scores = classes is not None and not classes
        requested: Literal["scores"] | None = "scores" if scores else None
        otherwise = "pass classes=[] if they are scores"
        kind = label_kind(whole, integers, bool(classes), requested, otherwise)
        if kind == "classes":
            check_positions(classes or ())
    except ValueError as error:
        problems.add_column(column, str(error))
        return unlabelled(len(values), classes)
    if kind == "scores":
        infinite = np.isinf(whole).nonzero()[0].tolist()
        problems.add_rows(column, "must be finite", infinite, values.__getitem__)
        return (), to_score(whole)
    if classes is None:
        # One large number would otherwise create as many classes.
        most = max(_MAX_UNNAMED, len(values))
        large = (whole >= most).nonzero()[0].tolist()
        problems.add_rows(
            column, f"must be below {most} to be a class number", large, values.__getitem__
        )
        if large:
            return unlabelled(len(values), classes)
        classes = [str(number) for number in range(int(np.nanmax(whole)) + 1)]
    absent = np.isnan(whole) | (integers & ((whole == -1) | (whole == MISSING)))
    fits = (whole >= 0) & (whole < len(classes)) & (whole == np.floor(whole))
    rule = f"must be the number of a class, in [0, {len(classes)})"
    broken = (~absent & ~fits).nonzero()[0].tolist()
    problems.add_rows(column, rule, broken, values.__getitem__)
    return tuple(classes), unlabelled(len(values), classes)[1] if broken else to_y(
        kind, whole, integers
    )


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(to_float(value)))
