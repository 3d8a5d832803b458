"""Unpickles numpy arrays, numpy scalars and plain containers; no code that a file names ever runs.

A pickle is a program. Here its instructions are a fixed list that can only build containers, the
names that it may ask for a fixed table, and what it gets for them the stand-ins of this package.
"""

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from graphfusion.datasets.readers._stand_ins import (
    ONLY,
    Array,
    DType,
    Maker,
    StandIn,
    check_arguments,
    plain,
)

_Instruction: TypeAlias = Callable[[Any], None]

# The instructions that are safe as the standard library does them; below are ours for some more.
# Those that make objects, look in registries or ask for buffers and persistent ids are not here.
_SAFE = """
    NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8
    BINBYTES SHORT_BINBYTES BINBYTES8 EMPTY_LIST LIST APPEND APPENDS
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT EMPTY_SET
    MARK POP POP_MARK DUP GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE
    GLOBAL STACK_GLOBAL PROTO FRAME STOP
"""


class _Instructions(dict[int, _Instruction]):
    def __missing__(self, opcode: int) -> _Instruction:
        raise ValueError(f"refused: the pickle has the instruction {opcode:#04x}; {ONLY}")


def _safe_instructions() -> _Instructions:
    codes = [getattr(pickle, name)[0] for name in _SAFE.split()]
    return _Instructions((code, pickle._Unpickler.dispatch[code]) for code in codes)


class Unpickler(pickle._Unpickler):
    """Reads one pickle of any protocol, Python 2's included; arrays come as :class:`Array`.

    The base class is the pure-Python one on purpose. The C one allocates what a header declares
    before it looks whether that follows: a memo as large as its highest index, a string of 2^62.

    Args:
        data: The file.
    """

    # What the base class has, for the type checker.
    stack: list[Any]
    append: Callable[[object], None]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    dispatch = _safe_instructions()

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._make = Maker(len(data))

    def find_class(self, module: str, name: str) -> object:
        """Gives the stand-in for a name, or refuses; nothing is imported."""
        if (module, name) not in self._make.names:
            asked = f"{module}.{name}"[:100]
            raise ValueError(f"refused: the pickle asks for {asked}; {ONLY}")
        return self._make.names[module, name]

    def _load_reduce(self) -> None:
        arguments = self.stack.pop()
        stand_in = self.stack[-1]
        if not isinstance(stand_in, StandIn):
            raise ValueError(f"refused: the pickle calls {type(stand_in).__name__}; {ONLY}")
        check_arguments(arguments)
        self.stack[-1] = stand_in.call(*arguments)

    dispatch[pickle.REDUCE[0]] = _load_reduce

    def _load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, DType):
            target.set_state(state)
        elif isinstance(target, Array):
            _, shape, dtype, fortran, raw = state
            target.array = self._make.new_array(raw, dtype, shape, "F" if fortran else "C")
        else:
            raise ValueError(f"refused: the pickle changes {type(target).__name__}; {ONLY}")

    dispatch[pickle.BUILD[0]] = _load_build

    def _load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _fill(self.stack[-1], [key, value])

    dispatch[pickle.SETITEM[0]] = _load_setitem

    def _load_setitems(self) -> None:
        items = self.pop_mark()
        _fill(self.stack[-1], items)

    dispatch[pickle.SETITEMS[0]] = _load_setitems

    def _load_dict(self) -> None:
        items = self.pop_mark()
        target: dict[Any, Any] = {}
        _fill(target, items)
        self.append(target)

    dispatch[pickle.DICT[0]] = _load_dict

    def _load_additems(self) -> None:
        items = self.pop_mark()
        target = self.stack[-1]
        if not isinstance(target, set):
            raise ValueError(f"refused: the pickle adds to {type(target).__name__}; {ONLY}")
        target.update(plain(items))

    dispatch[pickle.ADDITEMS[0]] = _load_additems

    def _load_frozenset(self) -> None:
        items = self.pop_mark()
        self.append(self._make.new_set(items))

    dispatch[pickle.FROZENSET[0]] = _load_frozenset

    def _load_bytearray8(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(size)))  # the base class allocates `size`, then reads

    dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray8


def _fill(target: object, items: list[Any]) -> None:
    if not isinstance(target, dict):
        raise ValueError(f"refused: the pickle sets items of {type(target).__name__}; {ONLY}")
    target.update(zip(plain(items[::2]), items[1::2], strict=True))
