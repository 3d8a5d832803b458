"""Safe replacements for the globals that a pickle may reference: this module's, never NumPy's."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphfusion.datasets.readers._reading import check_dtype, check_layout

ALLOWED = "only numpy arrays, scalars and plain containers are read."
LONGEST_KEY = 1000  # characters, bytes or bits; ids of conversations take a few dozen
_Items: TypeAlias = list[Any] | tuple[Any, ...]


class Budget:
    """Limits how many items may be copied from a file, in proportion to its size.

    Two bytes of a pickle suffice to reference an earlier object again. If every reference were
    copied, a small file could exhaust the memory.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit

    def spend(self, count: int) -> None:
        """Deducts `count` items; each item takes at least one byte in a regular file.

        Raises:
            ValueError: If more items are spent than the file has bytes.
        """
        self._left -= count
        if self._left < 0:
            raise ValueError("refused: the pickle repeats its contents to more than its own size.")


class DType:
    """Wraps a NumPy dtype while it is unpickled; its byte order follows in its state."""

    def __init__(self, name: object, *_: object) -> None:
        if type(name) is not str or not re.fullmatch("[A-Za-z][0-9]{0,9}", name):
            raise ValueError(f"refused: the pickle has a composite dtype; {ALLOWED}")
        self.dtype = np.dtype(name)
        check_dtype(self.dtype)

    def set_state(self, state: tuple[Any, ...]) -> None:
        """Sets the byte order; the rest of the state applies to structured dtypes only."""
        check_arguments(state)
        _, order, *_ = state
        self.dtype = self.dtype.newbyteorder(order)


class Array:
    """Wraps a NumPy array while it is unpickled; `array` is empty until its state is set."""

    def __init__(self, array: NDArray[Any] | None = None) -> None:
        self.array = np.empty(0) if array is None else array


@dataclass(frozen=True)
class SafeCallable:
    """A safe callable in place of a global; a pickle can call these and nothing else."""

    call: Callable[..., object]


class SafeFactory:
    """Creates the objects that a pickle requests, and copies no more than the file has bytes.

    Args:
        size: The size of the file in bytes.
    """

    def __init__(self, size: int) -> None:
        # Two budgets, since the bytes of a scalar may have been encoded before.
        self._encoded, self._copied = Budget(size), Budget(size)
        self.names: dict[tuple[str, str], object] = {
            ("numpy", "ndarray"): object(),  # only passed to _reconstruct, which ignores it
            ("numpy", "dtype"): SafeCallable(DType),
            ("collections", "OrderedDict"): SafeCallable(self.new_dict),
            ("_codecs", "encode"): SafeCallable(self.encode),
        }
        for core in ("numpy.core", "numpy._core"):
            self.names[f"{core}.multiarray", "_reconstruct"] = SafeCallable(lambda *_: Array())
            self.names[f"{core}.multiarray", "scalar"] = SafeCallable(self.new_scalar)
            self.names[f"{core}.numeric", "_frombuffer"] = SafeCallable(
                lambda *args: Array(self.new_array(*args))
            )
        for builtins in ("builtins", "__builtin__"):
            self.names[builtins, "set"] = SafeCallable(self.new_set)
            self.names[builtins, "frozenset"] = SafeCallable(self.new_set)

    def new_set(self, items: _Items = ()) -> set[Any]:
        """Creates a set of plain items; a frozenset becomes a set."""
        self._copied.spend(len(items))
        return set(check_keys(items))

    def new_dict(self, pairs: _Items = ()) -> dict[Any, Any]:
        """Creates a dict with plain keys, in the order of the pairs."""
        self._copied.spend(len(pairs))
        keys = check_keys([key for key, _ in pairs])
        return dict(zip(keys, (value for _, value in pairs), strict=True))

    def encode(self, text: object, encoding: object = "latin1") -> bytes:
        """Encodes text to bytes: protocols before 3 store bytes as Latin-1 text."""
        if type(text) is not str or encoding != "latin1":
            raise ValueError(f"refused: the pickle encodes something else than bytes; {ALLOWED}")
        self._encoded.spend(len(text))
        return text.encode("latin1")

    def new_scalar(self, dtype: object, raw: object) -> object:
        """Converts a NumPy scalar to a Python scalar."""
        array = self.new_array(raw, dtype, (), "C")
        self._copied.spend(array.nbytes)  # a string may be as long as the file
        return array.item()

    def new_array(self, raw: object, dtype: object, shape: object, order: object) -> NDArray[Any]:
        """Creates an array as a view of bytes, after checking that their sizes match exactly."""
        if type(raw) is str:
            raw = self.encode(raw)
        if not (
            isinstance(raw, bytes | bytearray)
            and isinstance(dtype, DType)
            and isinstance(shape, tuple)
            and all(type(size) is int for size in shape)
            and (order == "C" or order == "F")
        ):
            raise ValueError("an array must be bytes with a dtype, a shape and an order.")
        check_layout(shape, dtype.dtype, len(raw))
        return np.ndarray(shape, dtype.dtype, buffer=raw, order=order)


def check_keys(keys: _Items) -> _Items:
    """Checks that keys are short and plain, before they are hashed, and returns them.

    Hashing nested tuples can take exponential time, and hashing a long key is slow, too. Two bytes
    of a pickle suffice to request either.
    """
    for key in keys:
        if type(key) not in (str, bytes, int, float, bool, type(None)):
            raise ValueError(f"refused: keys must be plain, but got {type(key).__name__}.")
        size = key.bit_length() if isinstance(key, int) else 0
        size = len(key) if isinstance(key, str | bytes) else size
        if size > LONGEST_KEY:
            kind = type(key).__name__
            raise ValueError(f"refused: keys must be short, but got {kind} of size {size}.")
    return keys


def check_arguments(values: object) -> None:
    """Checks that there are at most nine arguments, since unpacking copies the tuple each time."""
    if not isinstance(values, tuple) or len(values) > 9:  # a dtype's state has nine
        raise ValueError(f"refused: the pickle passes invalid or too many arguments; {ALLOWED}")
