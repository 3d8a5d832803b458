"""Reads the arrays of an .npz file without trusting the sizes that its headers declare."""

import io
import zipfile
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from graphfusion._utils.counted import counted
from graphfusion.datasets.readers._reading import check_dtype, check_layout

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_CHUNK = 2**20  # bytes
# Typical headers take 128 bytes. Python's parser, which reads them, needs far more memory.
_MAX_HEADER = 1024


@dataclass(frozen=True)
class Header:
    """The header of an array in an archive; `nbytes` is the size of the data that follow."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    nbytes: int

    def __str__(self) -> str:
        kind = "strings" if self.dtype.kind in "SU" else self.dtype.name
        return f"{kind} of shape {list(self.shape)}"


class Archive:
    """An open .npz file; only the headers have been decompressed.

    Args:
        data: The bytes of the file.

    Raises:
        ValueError: If declared sizes are impossible, or a dtype cannot be read without running
            code.
        Exception: Any exception that zipfile, zlib or numpy raise on corrupt data.
    """

    def __init__(self, data: bytes) -> None:
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        self._members: dict[str, zipfile.ZipInfo] = {}
        self.headers: dict[str, Header] = {}
        members = self._zip.infolist()
        # Overlapping members could expand the same few bytes to many large arrays.
        if sum(member.compress_size for member in members) > len(data):
            raise ValueError("refused: the archive's members are larger than the archive.")
        for member in members:
            if not member.filename.endswith(".npy"):
                raise ValueError(f"the archive must hold .npy arrays, but has {member.filename}.")
            name = member.filename.removesuffix(".npy")
            if not name:
                raise ValueError("the archive's arrays must have names, but one has none.")
            if name in self._members:
                raise ValueError(f"{name} must be in the archive once, but occurs twice.")
            self._members[name] = member
            try:
                _check_sizes(member)
                with self._zip.open(member) as file:
                    self.headers[name] = _read_header(file, member)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error

    def read(self, name: str) -> NDArray[Any]:
        """Decompresses one array."""
        header = self.headers[name]
        raw, filled = np.empty(header.nbytes, np.uint8), 0
        with self._zip.open(self._members[name]) as file:
            _read_header(file, self._members[name])
            # In chunks, since zipfile would otherwise hold the whole array twice. Reading at most
            # the declared number of bytes bounds the memory that a longer stream can take.
            while chunk := file.read(min(_CHUNK, header.nbytes - filled)):
                raw[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
                filled += len(chunk)
        if filled != header.nbytes:
            raise ValueError(
                f"{name}: {counted(header.nbytes, 'byte')} must follow the header, but got "
                f"{filled}."
            )
        order: Literal["F", "C"] = "F" if header.fortran else "C"
        return np.ndarray(header.shape, header.dtype, buffer=raw.data, order=order)


def _read_header(file: Any, member: zipfile.ZipInfo) -> Header:
    version = npy.read_magic(file)
    if version not in _HEADERS:  # 3.0 differs only for structured dtypes, which are refused
        raise ValueError(f"the .npy version must be 1.0 or 2.0, but got {version}.")
    shape, fortran, dtype = _HEADERS[version](file, _MAX_HEADER)
    check_dtype(dtype)
    size = member.file_size - file.tell()
    check_layout(shape, dtype, size)
    return Header(shape, dtype, fortran, size)


def _check_sizes(member: zipfile.ZipInfo) -> None:
    """Checks that the compressed bytes of a member can decompress to its declared size."""
    if member.compress_type == zipfile.ZIP_STORED:
        possible = member.file_size == member.compress_size
    elif member.compress_type == zipfile.ZIP_DEFLATED:
        # The maximum ratio of Deflate: 2 bits for 258 bytes.
        possible = member.file_size <= 1032 * member.compress_size
    else:
        raise ValueError("refused: members must be stored or deflated.")
    if not possible:
        raise ValueError(
            f"refused: {member.compress_size} bytes cannot decompress to {member.file_size}."
        )
