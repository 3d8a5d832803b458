"""Reads the features of a table: from columns of vectors, groups of columns, or extra arrays."""

import json
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphfusion._utils.counted import counted
from graphfusion.datasets.tables.problems import TableProblems, to_float

_NO_VECTOR = (
    "must have a vector in some row, but has none. A modality that a whole corpus lacks has no "
    "size: predict such conversations as Conversation(..., present={NAME: all False})."
)

# A column of vectors, columns of numbers, or an array with one row per row of the table.
Source: TypeAlias = str | Sequence[str] | NDArray[Any] | Tensor


def sources_of(features: object) -> dict[str, Source]:
    """Converts `features` to `{modality: source}`; names alone are both modality and column.

    Raises:
        TypeError: If it is neither a mapping nor a sequence of names, or is empty.
    """
    if isinstance(features, Mapping) and features:
        return {name: _source(name, source) for name, source in features.items()}
    if isinstance(features, Sequence) and features and not isinstance(features, str):
        return {name: name for name in features}
    raise TypeError(
        "features must map modalities to columns or arrays, or name columns, but got "
        f"{features!r:.80}."
    )


def _source(name: object, source: object) -> Source:
    """Returns a source, after refusing tables, whose rows could be in another order than these."""
    if isinstance(source, np.ma.MaskedArray):
        raise TypeError(
            f"features[{name!r}] must be an array without a mask, which would be ignored, but got "
            "MaskedArray; mark missing vectors by NaN: array.filled(numpy.nan)."
        )
    if isinstance(source, str | np.ndarray | Tensor):
        return source
    columns = [] if hasattr(source, "iloc") or not isinstance(source, Iterable) else list(source)
    if not columns or not all(isinstance(each, Hashable) for each in columns):
        raise TypeError(
            f"features[{name!r}] must be a column, a list of columns, or an array with a row for "
            f"each row of the table, but got {type(source).__name__}."
        )
    return columns


def find_vectors(frame: Any, taken: Collection[str]) -> list[str]:
    """Returns the columns whose first value is a vector, except those in `taken`.

    Raises:
        ValueError: If there is none.
    """
    found = []
    for place, column in enumerate(frame.columns):
        if column in taken or column in found:
            continue
        known = frame.iloc[:, place].dropna()  # by place: names that come twice are refused later
        if len(known) and _vector(known.iloc[0]) is not None:
            found.append(column)
    if not found:
        raise ValueError(
            "features must be columns of vectors, but the table has none; where a modality is "
            "several columns of numbers, pass features={NAME: [COLUMN, ...]}; in a shell, "
            "`graphfusion convert FILE OUT --features NAME=COLUMN,COLUMN`."
        )
    return found


def read_features(
    name: str, source: Source, frame: Any, problems: TableProblems
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Reads a modality's vectors and presence mask.

    Args:
        name: The name of the modality.
        source: Where its vectors are stored.
        frame: The pandas table, with all columns that the source names.
        problems: Collects problems.

    Warns:
        UserWarning: If vectors that are all NaN count as missing.

    Returns:
        The vectors `[rows, d]`, floating, and their presence `[rows]` bool. The vectors are
        `[rows, 0]` if there are problems.
    """
    given = np.ones(len(frame), bool)  # where there is a vector, even if it is all NaN
    if isinstance(source, str):
        given = ~frame[source].isna().to_numpy(bool)
        column, matrix = source, _stack(source, frame[source], problems)
    elif isinstance(source, np.ndarray | Tensor):
        column, matrix = name, _array(name, source, len(frame), problems)
    else:
        given[:] = False
        column, matrix = name, _columns(list(source), frame, problems)
    here = ~np.isnan(matrix).all(1)
    if matrix.shape[1] == 0:
        return matrix, here
    _check_finite(column, source, matrix, here, problems)
    if not here.any():
        problems.add_column(column, _NO_VECTOR)
    elif lacking := int((~here & given).sum()):
        problems.warnings.append(
            f"{name} counts as missing in {lacking} of {len(here)} rows, whose vectors are nothing "
            "but NaN; use null in a column of vectors to mark missing ones without this warning."
        )
    return matrix, here


def _check_finite(
    column: str,
    source: Source,
    matrix: NDArray[Any],
    here: NDArray[np.bool_],
    problems: TableProblems,
) -> None:
    """Adds a problem with row, column and position for values that are not finite."""
    broken = ~np.isfinite(matrix) & here[:, None]
    if isinstance(source, str | np.ndarray | Tensor):
        rows = broken.any(1).nonzero()[0].tolist()
        if rows:
            place = int(broken[rows[0]].argmax())
            rule = f"must be finite at position {place} of the vector (from 0)"
            problems.add_rows(column, rule, rows, lambda row: float(matrix[row, place]))
        return
    rule = f"must be finite, or empty in all columns of {column}"
    for each, values, wrong in zip(source, matrix.T, broken.T, strict=True):
        problems.add_rows(each, rule, wrong.nonzero()[0].tolist(), values.tolist().__getitem__)


def columns_of(source: Source) -> list[str]:
    """Returns the table's columns that a source refers to."""
    if isinstance(source, str):
        return [source]
    return [] if isinstance(source, np.ndarray | Tensor) else list(source)


def _stack(column: str, series: Any, problems: TableProblems) -> NDArray[Any]:
    """Stacks the vectors of a column, with NaN where missing."""
    cells = [_vector(each) for each in series.tolist()]
    nulls = series.isna().to_numpy(bool)
    odd = [row for row, each in enumerate(cells) if each is None and not nulls[row]]
    rule = f"must be a vector of numbers, a list or an array ([{column!r}] takes single numbers)"
    problems.add_rows(column, rule, odd, lambda row: series.iloc[row])
    known = [each for each in cells if each is not None]
    width = len(known[0]) if known else 0
    other = [row for row, each in enumerate(cells) if each is not None and len(each) != width]
    rule = f"must have {counted(width, 'number')}, as the first vector has"
    problems.add_rows(column, rule, other, lambda row: series.iloc[row])
    if odd or other or not known:
        if not known and not odd:
            problems.add_column(column, _NO_VECTOR)
        return np.empty((len(cells), 0), np.float32)
    dtype = np.result_type(*{each.dtype for each in known})
    absent = np.full(width, np.nan, dtype)
    return np.stack([absent if each is None else each for each in cells]).astype(dtype)


def _vector(cell: object) -> NDArray[Any] | None:
    """Converts a cell to a vector, or None; strings, as in CSV, are parsed as JSON lists."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return None
    if isinstance(cell, list | tuple):
        if not all(type(each) in (int, float) or isinstance(each, np.number) for each in cell):
            return None
        try:
            with np.errstate(over="ignore"):  # overflow becomes infinity, which is refused later
                cell = np.array(cell, np.float64).astype(np.float32)
        except OverflowError:  # an integer of hundreds of digits
            return None
    if not isinstance(cell, np.ndarray) or isinstance(cell, np.ma.MaskedArray):
        return None
    return _native(cell) if cell.ndim == 1 and len(cell) and _is_numeric(cell) else None


def _is_numeric(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "fiu" and array.dtype.itemsize <= 8  # PyTorch has no longdouble


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Converts integers to float32, and others to the byte order that PyTorch has."""
    dtype = array.dtype.newbyteorder("=") if array.dtype.kind == "f" else np.float32
    return array.astype(dtype, copy=False)


def _array(
    name: str, source: NDArray[Any] | Tensor, size: int, problems: TableProblems
) -> NDArray[Any]:
    array = _to_numpy(source) if isinstance(source, Tensor) else source
    if array.ndim != 2 or len(array) != size or array.shape[1] == 0 or not _is_numeric(array):
        message = f"must be numbers [{size}, d] of at most 64 bits, one row per row of the table"
        problems.add_column(name, f"{message}, but is {array.dtype} of shape {list(array.shape)}.")
        return np.empty((size, 0), np.float32)
    return _native(array)


def _to_numpy(tensor: Tensor) -> NDArray[Any]:
    values = tensor.detach().cpu()
    known = (torch.float64, torch.float32, torch.float16)
    if values.is_floating_point() and values.dtype not in known:  # unknown to NumPy
        values = values.float()
    return values.numpy()


def _columns(columns: list[str], frame: Any, problems: TableProblems) -> NDArray[Any]:
    matrix = np.empty((len(frame), len(columns)), np.float32)
    for place, column in enumerate(columns):
        series = frame[column]
        nulls = series.isna().to_numpy(bool)
        values = series.tolist()
        odd = [
            row
            for row, value in enumerate(values)
            if not nulls[row] and (isinstance(value, bool) or not isinstance(value, int | float))
        ]
        problems.add_rows(column, "must be a number", odd, values.__getitem__)
        if odd:
            return np.empty((len(frame), 0), np.float32)
        matrix[:, place] = [
            np.nan if null else to_float(each) for null, each in zip(nulls, values, strict=True)
        ]
    return matrix
