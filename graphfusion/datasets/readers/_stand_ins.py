"""What a pickle gets for the names that it asks for: this module's own makers, never numpy's."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphfusion.datasets.readers._reading import check_dtype, check_layout

ONLY = "only numpy arrays, scalars and plain containers are read."
LONGEST_KEY = 1000  # characters, bytes or bits; an honest name of a conversation takes a few dozen
_Items: TypeAlias = list[Any] | tuple[Any, ...]


class Budget:
    """Counts what is made of a file against what its size can honestly hold.

    Two bytes of a pickle suffice to refer again to anything it already holds. If all of those were
    copied, a small file would fill the memory.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit

    def spend(self, count: int) -> None:
        """Takes `count` items, each of which costs an honest file one byte at least.

        Raises:
            ValueError: If all together are more than the file has bytes.
        """
        self._left -= count
        if self._left < 0:
            raise ValueError("refused: the pickle repeats its contents to more than its own size.")


class DType:
    """Stands for a numpy dtype, whose byte order follows in its state."""

    def __init__(self, name: object, *_: object) -> None:
        if type(name) is not str or not re.fullmatch("[A-Za-z][0-9]{0,9}", name):
            raise ValueError(f"refused: the pickle has a composite dtype; {ONLY}")
        self.dtype = np.dtype(name)
        check_dtype(self.dtype)

    def set_state(self, state: tuple[Any, ...]) -> None:
        """Sets the byte order; all else in the state concerns composite dtypes."""
        check_arguments(state)
        _, order, *_ = state
        self.dtype = self.dtype.newbyteorder(order)


class Array:
    """Stands for a numpy array; `array` is empty, as numpy's is, until the pickle fills it."""

    def __init__(self, array: NDArray[Any] | None = None) -> None:
        self.array = np.empty(0) if array is None else array


@dataclass(frozen=True)
class StandIn:
    """What a pickle gets for a name; it can have these called, and nothing else."""

    call: Callable[..., object]


class Maker:
    """Makes what a pickle asks for, and copies no more of it than the file has bytes.

    Args:
        size: The file's.
    """

    def __init__(self, size: int) -> None:
        # Two, since the bytes of a scalar may have been encoded before.
        self._encoded, self._copied = Budget(size), Budget(size)
        self.names: dict[tuple[str, str], object] = {
            ("numpy", "ndarray"): object(),  # only ever handed to _reconstruct, which ignores it
            ("numpy", "dtype"): StandIn(DType),
            ("collections", "OrderedDict"): StandIn(self.new_dict),
            ("_codecs", "encode"): StandIn(self.encode),
        }
        for core in ("numpy.core", "numpy._core"):
            self.names[f"{core}.multiarray", "_reconstruct"] = StandIn(lambda *_: Array())
            self.names[f"{core}.multiarray", "scalar"] = StandIn(self.new_scalar)
            self.names[f"{core}.numeric", "_frombuffer"] = StandIn(
                lambda *args: Array(self.new_array(*args))
            )
        for builtins in ("builtins", "__builtin__"):
            self.names[builtins, "set"] = StandIn(self.new_set)
            self.names[builtins, "frozenset"] = StandIn(self.new_set)

    def new_set(self, items: _Items = ()) -> set[Any]:
        """A set of plain items; frozen ones come as ordinary ones."""
        self._copied.spend(len(items))
        return set(plain(items))

    def new_dict(self, pairs: _Items = ()) -> dict[Any, Any]:
        """A dict of plain keys, in the order of the pairs."""
        self._copied.spend(len(pairs))
        keys = plain([key for key, _ in pairs])
        return dict(zip(keys, (value for _, value in pairs), strict=True))

    def encode(self, text: object, encoding: object = "latin1") -> bytes:
        """The bytes that Python 2, and Python 3 for its sake, write as text."""
        if type(text) is not str or encoding != "latin1":
            raise ValueError(f"refused: the pickle encodes something else than bytes; {ONLY}")
        self._encoded.spend(len(text))
        return text.encode("latin1")

    def new_scalar(self, dtype: object, raw: object) -> object:
        """A numpy scalar, as Python's own."""
        array = self.new_array(raw, dtype, (), "C")
        self._copied.spend(array.nbytes)  # a string may be as long as the file
        return array.item()

    def new_array(self, raw: object, dtype: object, shape: object, order: object) -> NDArray[Any]:
        """An array that is a view of the bytes, if it is exactly as large as they are."""
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


def plain(keys: _Items) -> _Items:
    """Checks keys before they are hashed: a tuple's hash walks all it holds, 2^n times over.

    To hash or compare a long key takes long, too, and two bytes of a pickle suffice to ask for it.
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
    """Checks arguments before they are unpacked: a pickle may ask for a long tuple's copy often."""
    if not isinstance(values, tuple) or len(values) > 9:  # as many as a dtype's state has
        raise ValueError(f"refused: the pickle gives something else than a few arguments; {ONLY}")
