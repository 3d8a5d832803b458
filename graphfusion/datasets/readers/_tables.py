"""Extracts a conversation's vectors, speakers and labels from the tables of a pickle."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from graphfusion._utils.counted import counted
from graphfusion.datasets.readers._contents import RawConversation
from graphfusion.datasets.readers._options import Options
from graphfusion.datasets.readers._reading import describe
from graphfusion.datasets.readers._safe_objects import Array, Budget, check_keys
from graphfusion.datasets.readers._vectors import average, check_vectors

# None takes one byte in a pickle; the NaN that replace it count as one byte per 64 numbers.
_NONES = 64

Key: TypeAlias = str | int
Table: TypeAlias = dict[Any, Any]


def keys_of(split: str, value: object) -> list[Key]:
    """Returns the ids in a list, tuple, set or array."""
    if isinstance(value, Array):
        value = value.array.reshape(-1).tolist() if value.array.ndim < 2 else None
        value = value and [each.decode("latin1") if type(each) is bytes else each for each in value]
    if isinstance(value, set):
        value = sorted(value)  # the order of a set may change between runs
    if not isinstance(value, list | tuple) or not all(type(key) in (str, int) for key in value):
        raise ValueError(
            f"the {split} ids must be a list, tuple, set or array of strings or integers, but got "
            f"{_describe_value(value)}."
        )
    return list(value)


def sequence(
    tables: Mapping[str, Table], name: str, key: Key
) -> list[Any] | tuple[Any, ...] | NDArray[Any]:
    """Returns a table's value for a conversation: a list, a tuple or an array."""
    if key not in tables[name]:
        raise ValueError(f"{name} must have the conversation, but does not.")
    value = tables[name][key]
    if isinstance(value, Array):
        return np.atleast_1d(value.array)
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} must be a list or an array, but got {_describe_value(value)}.")
    return value


def entries(
    tables: Mapping[str, Table], name: str, key: Key, size: int, budget: Budget
) -> list[Any]:
    """Returns a table's entries for a conversation: a scalar, list or array per utterance.

    Raises:
        ValueError: If their number is not `size`.
    """
    values = sequence(tables, name, key)
    if len(values) != size:
        raise ValueError(
            f"{name} must have one entry per utterance ({size}), but has {len(values)}."
        )
    return to_list(values, budget)


def to_list(values: object, budget: Budget) -> list[Any]:
    """Converts a list, tuple or array to a list of its entries."""
    if isinstance(values, Array):
        values = np.atleast_1d(values.array)
    if isinstance(values, np.ndarray):
        if values.dtype.kind in "SU":  # copies strings, each possibly as long as the file
            budget.spend(values.nbytes)
        return values.tolist() if values.ndim == 1 else list(values)
    assert isinstance(values, list | tuple)  # noqa: S101 - for the type checker
    return [np.atleast_1d(value.array) if isinstance(value, Array) else value for value in values]


def label_values(values: list[Any]) -> tuple[NDArray[np.float64], set[type]]:
    """Converts labels to float64, NaN where missing; also returns their types in the file."""
    check_keys([value for value in values if not isinstance(value, np.ndarray | list | tuple)])
    for utterance, value in enumerate(values):
        if type(value) not in (int, float, type(None)):
            raise ValueError(
                f"labels must be numbers, or None where missing, but utterance {utterance} has "
                f"{_describe_value(value)}."
            )
    numbers = [np.nan if value is None else float(value) for value in values]
    return np.array(numbers, np.float64), {type(value) for value in values} - {type(None)}


def matrix(
    name: str, values: list[Any], budget: Budget, options: Options
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Stacks the vectors of a conversation's utterances, with NaN for None.

    Args:
        name: The name of the modality.
        values: One vector or None per utterance.
        budget: The limit on copies.
        options: The options of the reader.

    Returns:
        The vectors `[U, d]`, or `[U, 0]` if all are None, and their presence `[U]` bool.
    """
    vectors = [
        None if value is None else vector(name, utterance, value, budget, options)
        for utterance, value in enumerate(values)
    ]
    known = [each for each in vectors if each is not None]
    width = len(known[0]) if known else 0
    for utterance, each in enumerate(vectors):
        if each is not None and len(each) != width:
            raise ValueError(
                f"{name} must be vectors of one size, but utterance {utterance}'s has "
                f"{counted(len(each), 'number')} and the first {width}."
            )
    budget.spend(width * (len(vectors) - len(known)) // _NONES)
    absent = np.full(width, np.nan)
    stacked = np.stack([absent if each is None else each for each in vectors])
    return stacked, np.array([each is not None for each in vectors])


def fill_absent(conversations: Sequence[RawConversation], budget: Budget) -> None:
    """Replaces features `[U, 0]` by NaN of the other conversations' width, in place."""
    for name in conversations[0].features if conversations else ():
        # A conversation without the modality is refused with all that is inconsistent.
        having = [each for each in conversations if name in each.features]
        width = max(each.features[name].size(1) for each in having)
        if width == 0:
            raise ValueError(f"{name} must have a vector, but all utterances' are None.")
        for conversation in having:
            if conversation.features[name].size(1) == 0:
                count = len(conversation.speaker)
                budget.spend(width * count // _NONES)
                conversation.features[name] = torch.full((count, width), torch.nan)


def vector(
    name: str, utterance: int, value: object, budget: Budget, options: Options
) -> NDArray[Any]:
    """Converts the entry of one utterance to a vector `[d]`, averaging frames if requested."""
    found = f"{name} must be vectors of numbers, but utterance {utterance} has"
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        budget.spend(value.size)  # the mean over frames is a copy, too
        if value.ndim != 1:
            try:
                check_vectors(name, value.shape, options.frames)
            except ValueError as error:
                raise ValueError(f"utterance {utterance}: {error}") from error
            return average(value, options.missing)
        if len(value):
            return value
    # Only flat numbers, since NumPy would traverse nested sequences, however deep or repeated.
    elif isinstance(value, list | tuple) and value:
        budget.spend(len(value))
        if all(type(number) in (int, float, bool) for number in value):
            try:
                return np.array(value, np.float64)
            except OverflowError:  # an integer of hundreds of digits
                raise ValueError(f"{found} a number out of the range of floats.") from None
        odd = next(each for each in value if type(each) not in (int, float, bool))
        raise ValueError(f"{found} a {type(value).__name__} with {_describe_value(odd)}.")
    raise ValueError(f"{found} {_describe_value(value)}.")


def speakers_of(values: list[Any], budget: Budget) -> list[Hashable]:
    """Returns the speaker of each utterance, from names, integers or one-hot rows of one kind."""
    kinds = [_kind(value) for value in values]
    for utterance, kind in enumerate(kinds):
        if kind is None or kind is not kinds[0]:
            first = "" if utterance == 0 else f", and utterance 0 {_describe_value(values[0])}"
            raise ValueError(
                "speakers must be names, integers or one-hot rows, all of one kind, but utterance "
                f"{utterance} has {_describe_value(values[utterance])}{first}."
            )
    if kinds[0] is not list:
        return list(check_keys(values))
    rows, _ = matrix("speakers", values, budget, Options())
    (bad,) = np.nonzero(((rows == 1).sum(1) != 1) | ((rows == 0).sum(1) != rows.shape[1] - 1))
    if bad.size:
        raise ValueError(f"speakers must be one-hot rows, but utterance {bad[0]}'s is not.")
    numbers: list[Hashable] = rows.argmax(1).tolist()
    return numbers


def _kind(value: object) -> type | None:
    if type(value) in (str, bytes, int):
        return type(value)
    return list if isinstance(value, list | tuple | np.ndarray) else None


def _describe_value(value: object) -> str:
    if isinstance(value, Array):
        value = value.array
    if isinstance(value, np.ndarray):
        return f"an array of {describe(value)}"
    return "None" if value is None else type(value).__name__
