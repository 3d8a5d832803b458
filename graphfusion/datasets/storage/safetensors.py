"""Parses and renders the header of a safetensors file.

The file begins with the size of its header in eight bytes. The header, in JSON, has the dtype, the
shape and the position of each tensor in the bytes that follow.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from graphfusion._utils.safetensors import open_safetensors

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class Column(NamedTuple):
    """The position and layout of a tensor in a file.

    Args:
        dtype: The dtype.
        shape: The shape.
        offset: The position of its first byte.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int

    @property
    def row_bytes(self) -> int:
        """The number of bytes of a row."""
        return torch.Size(self.shape[1:]).numel() * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The number of bytes of the tensor."""
        return self.shape[0] * self.row_bytes

    def meta(self) -> Tensor:
        """Creates a meta tensor of the same dtype and shape."""
        return torch.empty(self.shape, dtype=self.dtype, device="meta")


def check_file(path: str) -> None:
    """Checks that a file is complete, valid safetensors, and that this machine is little-endian.

    Raises:
        ImportError: If safetensors is not installed.
        NotImplementedError: If the processor is big-endian.
        ValueError: If the file is damaged.
    """
    with open_safetensors(path):
        pass
    if sys.byteorder != "little":
        raise NotImplementedError("files can be read on little-endian processors only.")


def parse_columns(header: bytes) -> dict[str, Column]:
    """Parses the header of a file that passed :func:`check_file`.

    Raises:
        ValueError: If a tensor has an unsupported dtype.
    """
    start = 8 + len(header)
    columns = {}
    for name, entry in json.loads(header).items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _DTYPES:
            raise ValueError(f"{name} must be of another dtype than {entry['dtype']}.")
        offset = start + entry["data_offsets"][0]
        columns[name] = Column(_DTYPES[entry["dtype"]], tuple(entry["shape"]), offset)
    return columns


def place_columns(shapes: Mapping[str, tuple[torch.dtype, Sequence[int]]]) -> dict[str, Column]:
    """Assigns positions to tensors, relative to the end of the header.

    Tensors with larger items come first, as in safetensors itself, so that all are aligned.
    `present` comes last, since the writer may drop it.

    Raises:
        ValueError: If a tensor has an unsupported dtype.
    """
    columns: dict[str, Column] = {}
    offset = 0
    order = sorted(shapes, key=lambda name: (name == "present", -shapes[name][0].itemsize, name))
    for name in order:
        dtype, shape = shapes[name]
        if dtype not in _NAMES:
            raise ValueError(f"{name} must be of a dtype that safetensors has, but got {dtype}.")
        columns[name] = Column(dtype, tuple(shape), offset)
        offset += columns[name].nbytes
    return columns


def render_header(columns: Mapping[str, Column], metadata: Mapping[str, Any]) -> bytes:
    """Renders the header of a file; offsets of the columns are relative to the header's end."""
    header: dict[str, Any] = {"__metadata__": metadata}
    for name, column in columns.items():
        header[name] = {
            "dtype": _NAMES[column.dtype],
            "shape": column.shape,
            "data_offsets": [column.offset, column.offset + column.nbytes],
        }
    return json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
