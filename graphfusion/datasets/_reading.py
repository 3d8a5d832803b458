"""What both readers share: how they fail, and what they check before and after reading arrays."""

import math
import sys
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from graphfusion.conversation import Conversation


class FormatError(ValueError):
    """Something in a file is not as its format asks; the message names the file and what it is."""


@contextmanager
def reading(path: str | PathLike[str]) -> Iterator[bytes]:
    """Gives a file's bytes, and turns every exception that working on them raises into FormatError.

    Broken bytes surface as anything from IndexError to RecursionError, depending on where they
    strike. A caller who reads files of others needs one exception to catch.
    """
    data = Path(path).read_bytes()
    try:
        yield data
    except Exception as error:
        # A ValueError tells what is wrong; what others say makes sense only with their type.
        problem = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise FormatError(f"{path}: {problem}") from error


@contextmanager
def about(conversation: str) -> Iterator[None]:
    """Names the conversation in the ValueErrors raised within."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"conversation {conversation!r}: {error}") from error


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


def make_conversation(
    name: str,
    features: Mapping[str, NDArray[Any]],
    speakers: Sequence[Hashable],
    labels: Sequence[int] | NDArray[Any],
) -> Conversation:
    """Builds a conversation from what a file says about it.

    Args:
        name: Its id.
        features: `{modality: [U, d]}`, numbers of any dtype.
        speakers: Who said each utterance, U names of any kind.
        labels: U integers.

    Raises:
        ValueError: If a feature is NaN, infinite or beyond float32.
    """
    tensors = {}
    for modality, values in features.items():
        with np.errstate(over="ignore"):  # the infinity that it leaves is reported just below
            array = values.astype(np.float32)
        (bad,) = np.nonzero(~np.isfinite(array).all(axis=1))
        if bad.size:
            raise ValueError(
                f"{modality} must be finite, but utterance {bad[0]} has NaN or infinity."
            )
        tensors[modality] = torch.from_numpy(array)
    numbers: dict[Hashable, int] = {}
    speaker = [numbers.setdefault(who, len(numbers)) for who in speakers]
    y = torch.tensor(labels, dtype=torch.int64)
    return Conversation(tensors, torch.tensor(speaker, dtype=torch.int64), y, id=name)
