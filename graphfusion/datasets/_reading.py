"""What the readers share: how they fail, and what they check before and after reading arrays."""

import math
import sys
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphfusion.data.conversation import Conversation
from graphfusion.datasets._problems import Problem, Talk, faults


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
    """Gives a file's bytes, and turns every exception that working on them raises into FormatError.

    Broken bytes surface as anything from IndexError to RecursionError, depending on where they
    strike. A caller who reads files of others needs one exception to catch.
    """
    data = Path(path).read_bytes()
    try:
        yield data
    except ImportError:  # of an optional package; nothing in a file imports any
        raise
    except Exception as error:
        # A ValueError tells what is wrong; what others say makes sense only with their type.
        problem = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
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
        raise ValueError(f"refused: arrays must hold numbers or strings, but got {dtype.name}.")


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


def to_float32(name: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """Takes over numbers, one or a row of them for each utterance.

    Raises:
        ValueError: If one is NaN, infinite or beyond float32.
    """
    array = _cast(values)
    (bad,) = np.nonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
    if bad.size:
        raise ValueError(f"{name} must be finite, but utterance {bad[0]} has NaN or infinity.")
    return array


def number_speakers(names: Iterable[Hashable]) -> Tensor:
    """Numbers those who speak by first appearance."""
    numbers: dict[Hashable, int] = {}
    found = [numbers.setdefault(who, len(numbers)) for who in names]
    return torch.tensor(found, dtype=torch.int64)


def make_talk(
    name: str,
    features: Mapping[str, NDArray[Any]],
    speakers: Sequence[Hashable],
    labels: Sequence[int] | NDArray[Any],
    score: NDArray[Any] | None = None,
) -> Talk:
    """Takes over what a file of arrays says about a conversation; its values are not checked.

    Args:
        name: Its id.
        features: `{modality: [U, d]}`, numbers of any dtype; what is beyond float32 gets infinite.
        speakers: Who said each utterance, U names of any kind.
        labels: U integers.
        score: U numbers of any dtype, a continuous label.
    """
    return Talk(
        name,
        {modality: torch.from_numpy(_cast(values)) for modality, values in features.items()},
        number_speakers(speakers),
        torch.tensor(labels, dtype=torch.int64),
        {modality: torch.ones(len(labels), dtype=torch.bool) for modality in features},
        None if score is None else torch.from_numpy(_cast(score)),
    )


def make_conversation(
    name: str,
    features: Mapping[str, NDArray[Any]],
    speakers: Sequence[Hashable],
    labels: Sequence[int] | NDArray[Any],
    score: NDArray[Any] | None = None,
) -> Conversation:
    """Makes a conversation of what :func:`make_talk` takes over.

    Raises:
        FormatError: If a feature or a score is NaN, infinite or beyond float32.
    """
    talk = make_talk(name, features, speakers, labels, score)
    problems = list(faults(talk))
    if problems:
        raise FormatError.of(problems)
    return talk.conversation()


def _cast(values: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # the infinity that it leaves is found by whoever checks
        return values.astype(np.float32)
