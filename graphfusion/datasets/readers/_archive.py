"""Reads the arrays of an .npz file without trusting what its headers declare."""

import io
import zipfile
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from graphfusion.datasets._reading import check_dtype, check_layout

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_LONGEST_HEADER = 1024  # an honest one takes 128; Python's parser, which reads it, far more memory


def read_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Reads all arrays of an .npz file, in the file's order.

    Args:
        data: The file.

    Raises:
        ValueError: If what it declares cannot be true, or needs code to be read.
        Exception: Of whatever kind zipfile, zlib and numpy raise on broken bytes.
    """
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        # Members that overlap would make many large arrays of the same few bytes.
        if sum(member.compress_size for member in members) > len(data):
            raise ValueError("refused: the archive's members are larger than the archive.")
        for member in members:
            if not member.filename.endswith(".npy"):
                raise ValueError(f"the archive must hold .npy arrays, but has {member.filename}.")
            name = member.filename.removesuffix(".npy")
            if not name:
                raise ValueError("the archive's arrays must have names, but one has none.")
            if name in arrays:
                raise ValueError(f"{name} must be in the archive once, but comes again.")
            try:
                arrays[name] = _read_array(archive, member)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
    return arrays


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    _check_sizes(member)
    with archive.open(member) as file:
        version = npy.read_magic(file)
        if version not in _HEADERS:  # 3.0 is for names of fields, which no array here has
            raise ValueError(f"the .npy version must be 1.0 or 2.0, but got {version}.")
        shape, fortran, dtype = _HEADERS[version](file, _LONGEST_HEADER)
        check_dtype(dtype)
        size = member.file_size - file.tell()
        check_layout(shape, dtype, size)
        # Asking for the exact size bounds what a stream longer than declared inflates to.
        raw = file.read(size)
        if len(raw) != size:
            raise ValueError(f"{size} bytes must follow the header, but got {len(raw)}.")
    return np.ndarray(shape, dtype, buffer=raw, order="F" if fortran else "C")


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
