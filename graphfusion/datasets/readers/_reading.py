"""Shared helpers of the readers: error handling, and checks before an array is allocated."""

import math
import sys
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphfusion._utils.counted import counted
from graphfusion._utils.files import read_regular
from graphfusion.datasets.checks.problems import Problem


class FormatError(ValueError):
    """Raised if a file violates its format; the message names the file and the first problem.

    Attributes:
        problems: Every :class:`Problem` found before reading had to stop.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems) or (Problem(None, None, message),)

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> Self:
        """Creates one error for several problems; the message has the first and their number."""
        more = f" (the first of {len(problems)} problems)" if len(problems) > 1 else ""
        return cls(f"{problems[0]}{more}", problems)


@contextmanager
def open_file(path: str | PathLike[str]) -> Iterator[bytes]:
    """Context manager that reads a file and names it in errors, see :func:`error_context`."""
    data = read_regular(path)
    with error_context(path):
        yield data


@contextmanager
def error_context(path: str | PathLike[str]) -> Iterator[None]:
    """Context manager that converts every exception into a FormatError that names the file.

    Corrupt data can raise anything from IndexError to RecursionError. Callers who read untrusted
    files need a single exception to catch.
    """
    try:
        yield
    except ImportError:  # an optional package is missing; file contents never import anything
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:  # cannot be reopened
            raise
        # The message of a ValueError is self-explanatory; other errors need their type's name.
        problem = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        if str(problem).startswith(f"{path}: "):
            raise
        if not isinstance(error, FormatError):
            error = FormatError(str(problem))
        raise FormatError(f"{path}: {problem}", error.problems) from error


@contextmanager
def conversation_context(conversation: str) -> Iterator[None]:
    """Context manager that adds the conversation's id to any ValueError raised inside."""
    try:
        yield
    except ValueError as error:
        raise FormatError.of([Problem(conversation, None, str(error))]) from error


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Checks that a dtype is numeric or a string; reading object arrays would run code."""
    if dtype.kind not in "biufSU" or dtype.itemsize == 0:
        kind = "strings of no size" if dtype.kind in "SU" else dtype.name
        raise ValueError(f"refused: arrays must hold numbers or strings, but got {kind}.")


def check_layout(shape: Sequence[int], dtype: np.dtype[Any], available: int) -> None:
    """Checks that an array needs exactly the available bytes, before it is allocated.

    Args:
        shape: The declared shape.
        dtype: The declared dtype.
        available: The number of bytes that the file stores for this array.
    """
    # The limit of 32 dimensions keeps the product cheap: a million of them would take minutes.
    if len(shape) > 32 or not all(0 <= size <= sys.maxsize for size in shape):
        raise ValueError("an array must have at most 32 dimensions, none of a negative size.")
    needed = math.prod(shape) * dtype.itemsize
    if needed != available:
        raise ValueError(
            f"an array of shape {list(shape)} and dtype {dtype.name} must take "
            f"{counted(needed, 'byte')}, "
            f"but the file has {available} for it."
        )


def describe(array: NDArray[Any]) -> str:
    """Describes an array's dtype and shape, for error messages."""
    kind = "strings" if array.dtype.kind in "SU" else array.dtype.name
    return f"{kind} of shape {list(array.shape)}"


def number_speakers(names: Iterable[Hashable]) -> Tensor:
    """Numbers speakers from 0 by first appearance: returns `[U]` int64."""
    numbers: dict[Hashable, int] = {}
    found = [numbers.setdefault(who, len(numbers)) for who in names]
    return torch.tensor(found, dtype=torch.int64)
