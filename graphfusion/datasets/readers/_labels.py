"""What a file's labels are: numbers of classes, several classes at once, or scores."""

from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphfusion.data.labels import MISSING

Kind: TypeAlias = Literal["classes", "scores", "several"]
_Numbers: TypeAlias = NDArray[np.float64]


def label_kind(values: _Numbers, integers: bool, named: bool, asked: Kind | None) -> Kind:
    """Says what all labels of a file are.

    Args:
        values: The labels, NaN where there is none.
        integers: Whether the file has them as integers.
        named: Whether it names classes.
        asked: What the caller says they are; None: what the file says.

    Raises:
        ValueError: If it may be either: floats that could number classes, without their names.
    """
    if asked == "scores" and integers and named:
        raise ValueError("scores must be in the file, but its labels are numbers of classes.")
    if asked is not None:
        return asked
    if integers or named:
        return "classes"
    known = values[~np.isnan(values)]
    if known.size and (known >= 0).all() and (known == np.floor(known)).all():
        raise ValueError(
            "labels must be integers, if they number classes, but are floats without a fraction "
            "or a sign, which may be either (a gap in a table makes floats of integers): write "
            "integers and -1 where missing, or name the classes, or say labels='classes' or "
            "labels='scores'."
        )
    return "scores"


def to_y(kind: Kind, values: _Numbers, integers: bool) -> Tensor:
    """A conversation's labels as a `Conversation` has them.

    Args:
        kind: What they are.
        values: `[U]`, or `[U, K]` of several classes at once, NaN where there is none.
        integers: Whether the file has them as integers; -1 and -100 are missing there.

    Returns:
        `[U]` int64, -100 where missing, of classes; float32, NaN where missing, of scores and
        `[U, K]` of several classes at once.

    Raises:
        ValueError: If classes are to be numbered by what is no integer, or several are not 0 and 1.
    """
    if kind == "scores":
        return to_score(values)
    missing = np.isnan(values)
    if integers:
        missing |= (values == -1) | (values == MISSING)
    if kind == "several":
        return _several(values, missing)
    broken = ~missing & ((values != np.floor(values)) | np.isinf(values))
    if not integers:  # -1.0 may be a score
        broken |= values < 0
    (bad,) = np.nonzero(broken)
    if bad.size:
        raise ValueError(
            "labels must be whole numbers of classes, NaN where missing, but utterance "
            f"{bad[0]} has {values[bad[0]]:g}; scores come without classes."
        )
    whole = np.where(missing, MISSING, np.clip(values, -(2.0**62), 2.0**62))
    return torch.from_numpy(whole.astype(np.int64))


def _several(values: _Numbers, missing: NDArray[np.bool_]) -> Tensor:
    broken = ~missing & (values != 0) & (values != 1)
    if broken.any():
        row, column = np.argwhere(broken)[0].tolist()
        raise ValueError(
            "labels of several classes must be 1 or 0, or where missing -1 or -100 of integers and "
            f"NaN of floats, but utterance {row} has {values[row, column]:g} in column {column}."
        )
    return to_score(np.where(missing, np.nan, values))


def to_score(values: NDArray[Any]) -> Tensor:
    """As float32, NaN where missing; what is beyond float32 gets infinite, which is refused."""
    with np.errstate(over="ignore"):
        return torch.from_numpy(values.astype(np.float32))
