"""Infers the kind of a file's labels (classes, multilabel or scores) and converts them."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphfusion.data.labels import MISSING

Kind: TypeAlias = Literal["classes", "scores", "multilabel"]
_Numbers: TypeAlias = NDArray[np.float64]


def label_kind(
    values: _Numbers,
    integers: bool,
    named: bool,
    requested: Kind | None,
    otherwise: str = "pass labels='classes' or labels='scores'",
) -> Kind:
    """Infers whether the labels of a file are classes or scores.

    Args:
        values: All labels of the file, NaN where missing.
        integers: Whether the file stores them as integers.
        named: Whether the file names the classes.
        requested: The kind that the caller requested; None: inferred.
        otherwise: How to request a kind, for the message.

    Raises:
        ValueError: If the kind is ambiguous: whole floats of 0 or more, without class names.
    """
    if requested == "scores" and integers and named:
        raise ValueError("scores must be in the file, but its labels are class numbers.")
    if requested is not None:
        return requested
    if integers or named:
        return "classes"
    known = values[~np.isnan(values)]
    if known.size and (known >= 0).all() and (known == np.floor(known)).all():
        raise ValueError(
            "labels must be integers if they are class numbers, but are whole floats, which can be "
            "class numbers or scores (missing values turn a table's integers into floats): store "
            f"integers, with -1 where missing, or name the classes, or {otherwise}."
        )
    return "scores"


def check_positions(classes: Sequence[str]) -> None:
    """Refuses names of classes for which numbers as labels could be names, too.

    Args:
        classes: The names of the classes that the labels number.

    Raises:
        ValueError: If all names are integers, but not their own positions, such as "-1", "0", "1".
    """
    try:
        numbers = [int(name) for name in classes]
    except ValueError:
        return
    if numbers != list(range(len(numbers))):
        raise ValueError(
            f"classes are numbers, {', '.join(classes):.200}, but labels are positions, from 0 to "
            f"{len(numbers) - 1}; store the labels as strings (of a CSV file: pandas.read_csv, "
            "dtype=str, Corpus.from_table)."
        )


def to_y(kind: Kind, values: _Numbers, integers: bool) -> Tensor:
    """Converts the labels of a conversation to the `y` of a `Conversation`.

    Args:
        kind: The kind of the labels.
        values: `[U]`, or `[U, K]` for multilabel, NaN where missing.
        integers: Whether the file stores them as integers; -1 and -100 are then missing, too.

    Returns:
        For classes, `[U]` int64, -100 where missing. For scores `[U]` and multilabel `[U, K]`,
        float32, NaN where missing.

    Raises:
        ValueError: If class numbers are not whole, or multilabel values are not 0 or 1.
    """
    if kind == "scores":
        return to_score(values)
    missing = np.isnan(values)
    if integers:
        missing |= (values == -1) | (values == MISSING)
    if kind == "multilabel":
        return _multilabel(values, missing)
    broken = ~missing & ((values != np.floor(values)) | np.isinf(values))
    if not integers:  # a float of -1.0 may be a score instead of "missing"
        broken |= values < 0
    (bad,) = np.nonzero(broken)
    if bad.size:
        raise ValueError(
            "labels must be whole class numbers, NaN where missing, but utterance "
            f"{bad[0]} has {values[bad[0]]:g}; a file of scores must not name classes."
        )
    whole = np.where(missing, MISSING, np.clip(values, -(2.0**62), 2.0**62))
    return torch.from_numpy(whole.astype(np.int64))


def _multilabel(values: _Numbers, missing: NDArray[np.bool_]) -> Tensor:
    broken = ~missing & (values != 0) & (values != 1)
    if broken.any():
        row, column = np.argwhere(broken)[0].tolist()
        raise ValueError(
            "multilabel values must be 1 or 0, or where missing -1 or -100 (integers) or NaN "
            f"(floats), but utterance {row} has {values[row, column]:g} in column {column}."
        )
    return to_score(np.where(missing, np.nan, values))


def to_score(values: NDArray[Any]) -> Tensor:
    """Converts to float32, NaN where missing; overflow becomes infinity, which is refused later."""
    with np.errstate(over="ignore"):
        return torch.from_numpy(values.astype(np.float32))
