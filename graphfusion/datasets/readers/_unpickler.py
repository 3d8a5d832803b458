"""Restricted unpickler: builds only NumPy arrays, NumPy scalars and plain containers.

A pickle is a program. Here, only opcodes from a fixed list are executed, and only globals from a
fixed table are resolved, to safe replacements. No code that a file names ever runs.
"""

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from graphfusion.datasets.readers._safe_objects import (
    ALLOWED,
    Array,
    DType,
    SafeCallable,
    SafeFactory,
    check_arguments,
    check_keys,
)

_Instruction: TypeAlias = Callable[[Any], None]

# Opcodes whose implementation in the standard library is safe; others are overridden below. Opcodes
# that create objects, or use the extension registry, buffers or persistent ids, are left out.
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
        raise ValueError(f"refused: the pickle has the instruction {opcode:#04x}; {ALLOWED}")


def _safe_instructions() -> _Instructions:
    codes = [getattr(pickle, name)[0] for name in _SAFE.split()]
    return _Instructions((code, pickle._Unpickler.dispatch[code]) for code in codes)


class Unpickler(pickle._Unpickler):
    """Loads one pickle of any protocol, including Python 2's; arrays come as :class:`Array`.

    The base class is the pure-Python unpickler on purpose. The C implementation allocates declared
    sizes before checking them: a memo as large as its highest index, or a string of 2^62 bytes.

    Args:
        data: The bytes of the file.
    """

    # Attributes of the base class, for the type checker.
    stack: list[Any]
    append: Callable[[object], None]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    dispatch = _safe_instructions()

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._make = SafeFactory(len(data))

    def find_class(self, module: str, name: str) -> object:
        """Returns the safe replacement of a global, without importing anything.

        Raises:
            ValueError: If there is none.
        """
        if (module, name) not in self._make.names:
            name = f"{module}.{name}"[:100]
            raise ValueError(f"refused: the pickle references {name}; {ALLOWED}")
        return self._make.names[module, name]

    def _load_reduce(self) -> None:
        arguments = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, SafeCallable):
            raise ValueError(f"refused: the pickle calls {type(target).__name__}; {ALLOWED}")
        check_arguments(arguments)
        self.stack[-1] = target.call(*arguments)

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
            raise ValueError(f"refused: the pickle changes {type(target).__name__}; {ALLOWED}")

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
            raise ValueError(f"refused: the pickle adds to {type(target).__name__}; {ALLOWED}")
        target.update(check_keys(items))

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
        raise ValueError(f"refused: the pickle sets items of {type(target).__name__}; {ALLOWED}")
    target.update(zip(check_keys(items[::2]), items[1::2], strict=True))
