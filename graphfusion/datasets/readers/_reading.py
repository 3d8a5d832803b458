"""What the readers share: how they fail, and what they check before they read an array."""

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

from graphfusion._utils.files import read_regular
from graphfusion.datasets.checks.problems import Problem


class FormatError(ValueError):
    """Something in a file is not as its format asks; the message names the file and what it is.

    Attributes:
        problems: All that was found wrong before reading had to end, as :class:`Problem` each.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems) or (Problem(None, None, message),)

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> Self:
        """The error that says the first of them, and how many there are."""
        more = f" (the first of {len(problems)} problems)" if len(problems) > 1 else ""
        return cls(f"{problems[0]}{more}", problems)


@contextmanager
def reading(path: str | PathLike[str]) -> Iterator[bytes]:
    """Gives a file's bytes, and names it in what goes wrong, see :func:`naming`."""
    data = read_regular(path)
    with naming(path):
        yield data


@contextmanager
def naming(path: str | PathLike[str]) -> Iterator[None]:
    """Turns every exception that working on a file's content raises into FormatError.

    Broken bytes surface as anything from IndexError to RecursionError, depending on where they
    strike. A caller who reads files of others needs one exception to catch.
    """
    try:
        yield
    except ImportError:  # of an optional package; nothing in a file imports any
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:  # it cannot be opened again
            raise
        # The message of a ValueError is enough; others need the name of their type.
        problem = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        if str(problem).startswith(f"{path}: "):
            raise
        if not isinstance(error, FormatError):
            error = FormatError(str(problem))
        raise FormatError(f"{path}: {problem}", error.problems) from error


@contextmanager
def about(conversation: str) -> Iterator[None]:
    """Names the conversation in the ValueErrors raised within that do not name it themselves."""
    try:
        yield
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError.of([Problem(conversation, None, str(error))]) from error


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Checks that a dtype is one of numbers or strings; to read objects is to run code."""
    if dtype.kind not in "biufSU" or dtype.itemsize == 0:
        kind = "strings of no size" if dtype.kind in "SU" else dtype.name
        raise ValueError(f"refused: arrays must hold numbers or strings, but got {kind}.")


def check_layout(shape: Sequence[int], dtype: np.dtype[Any], available: int) -> None:
    """Checks, before anything is allocated, that an array takes exactly the bytes that there are.

    Args:
        shape: As the file declares it.
        dtype: As the file declares it.
        available: The number of bytes that the file has for this array.
    """
    # 32 sizes of 63 bits are multiplied at once; a million of them would take minutes.
    if len(shape) > 32 or not all(0 <= size <= sys.maxsize for size in shape):
        raise ValueError("an array's shape must be up to 32 sizes, none negative.")
    needed = math.prod(shape) * dtype.itemsize
    if needed != available:
        raise ValueError(
            f"an array of shape {list(shape)} and dtype {dtype.name} must take {needed} bytes, "
            f"but the file has {available} for it."
        )


def describe(array: NDArray[Any]) -> str:
    """An array's kind and shape, in words for a message."""
    kind = "strings" if array.dtype.kind in "SU" else array.dtype.name
    return f"{kind} of shape {list(array.shape)}"


def number_speakers(names: Iterable[Hashable]) -> Tensor:
    """Numbers those who speak by first appearance."""
    numbers: dict[Hashable, int] = {}
    found = [numbers.setdefault(who, len(numbers)) for who in names]
    return torch.tensor(found, dtype=torch.int64)
