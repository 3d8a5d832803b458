"""Reads the arrays of an .npz file without trusting what its headers declare."""

import io
import zipfile
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from graphfusion.datasets.readers._reading import check_dtype, check_layout

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_PIECE = 2**20  # bytes
_LONGEST_HEADER = 1024  # an honest one takes 128; Python's parser, which reads it, far more memory


@dataclass(frozen=True)
class Header:
    """What a member of an archive says of its array; it is as large as the member."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    nbytes: int

    def __str__(self) -> str:
        kind = "strings" if self.dtype.kind in "SU" else self.dtype.name
        return f"{kind} of shape {list(self.shape)}"


class Archive:
    """An .npz file, of which nothing but the headers has been inflated.

    Args:
        data: The file.

    Raises:
        ValueError: If what it declares cannot be true, or needs code to be read.
        Exception: Of whatever kind zipfile, zlib and numpy raise on broken bytes.
    """

    def __init__(self, data: bytes) -> None:
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        self._members: dict[str, zipfile.ZipInfo] = {}
        self.headers: dict[str, Header] = {}
        members = self._zip.infolist()
        # Members that overlap would make many large arrays of the same few bytes.
        if sum(member.compress_size for member in members) > len(data):
            raise ValueError("refused: the archive's members are larger than the archive.")
        for member in members:
            if not member.filename.endswith(".npy"):
                raise ValueError(f"the archive must hold .npy arrays, but has {member.filename}.")
            name = member.filename.removesuffix(".npy")
            if not name:
                raise ValueError("the archive's arrays must have names, but one has none.")
            if name in self._members:
                raise ValueError(f"{name} must be in the archive once, but comes again.")
            self._members[name] = member
            try:
                _check_sizes(member)
                with self._zip.open(member) as file:
                    self.headers[name] = _read_header(file, member)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error

    def read(self, name: str) -> NDArray[Any]:
        """Inflates one array."""
        header = self.headers[name]
        raw, filled = np.empty(header.nbytes, np.uint8), 0
        with self._zip.open(self._members[name]) as file:
            _read_header(file, self._members[name])
            # In pieces: at once, zipfile would hold all of it twice. No more than is declared is
            # asked for, which bounds what a longer stream inflates to.
            while piece := file.read(min(_PIECE, header.nbytes - filled)):
                raw[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
                filled += len(piece)
        if filled != header.nbytes:
            raise ValueError(
                f"{name}: {header.nbytes} bytes must follow the header, but got {filled}."
            )
        order: Literal["F", "C"] = "F" if header.fortran else "C"
        return np.ndarray(header.shape, header.dtype, buffer=raw.data, order=order)


def _read_header(file: Any, member: zipfile.ZipInfo) -> Header:
    version = npy.read_magic(file)
    if version not in _HEADERS:  # 3.0 is for names of fields, which no array here has
        raise ValueError(f"the .npy version must be 1.0 or 2.0, but got {version}.")
    shape, fortran, dtype = _HEADERS[version](file, _LONGEST_HEADER)
    check_dtype(dtype)
    size = member.file_size - file.tell()
    check_layout(shape, dtype, size)
    return Header(shape, dtype, fortran, size)


def _check_sizes(member: zipfile.ZipInfo) -> None:
    """Checks that a member's declared size is one that its bytes in the archive can give."""
    if member.compress_type == zipfile.ZIP_STORED:
        possible = member.file_size == member.compress_size
    elif member.compress_type == zipfile.ZIP_DEFLATED:
        # Deflate at its densest spends 2 bits on 258 bytes: 1032 times.
        possible = member.file_size <= 1032 * member.compress_size
    else:
        raise ValueError("refused: members must be stored or deflated.")
    if not possible:
        raise ValueError(
            f"refused: {member.compress_size} bytes cannot inflate to {member.file_size}."
        )
