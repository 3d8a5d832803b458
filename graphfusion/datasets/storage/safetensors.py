"""Where the tensors of a safetensors file are, and how to write one of any size.

The file begins with the size of its header in eight bytes; the header, in JSON, says what each
tensor is and where it stands among the bytes that follow.
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
    """A tensor of the file.

    Args:
        dtype: Of what.
        shape: Its sizes.
        offset: Its first byte's place in the file.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int

    @property
    def row_bytes(self) -> int:
        """How many bytes a row takes."""
        return torch.Size(self.shape[1:]).numel() * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """How many bytes it takes."""
        return self.shape[0] * self.row_bytes

    def meta(self) -> Tensor:
        """A tensor like it that holds nothing."""
        return torch.empty(self.shape, dtype=self.dtype, device="meta")


def check_file(path: str) -> None:
    """Checks that a file is safetensors, whole, and can be read in places on this machine.

    Raises:
        ImportError: If safetensors is not installed.
        ValueError: If it is damaged.
    """
    with open_safetensors(path):
        pass
    if sys.byteorder != "little":
        raise NotImplementedError("files are read in places on little-endian processors only.")


def parse_columns(header: bytes) -> dict[str, Column]:
    """What the tensors of a file are, which is known to be one.

    Raises:
        ValueError: If one is of a dtype that no corpus has.
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
    """Lines up tensors, from the first byte after a header that is not yet known.

    The larger their items, the earlier, as safetensors itself does, so that all are aligned; and
    `present` last, which may turn out to be superfluous.

    Raises:
        ValueError: If one is of a dtype that cannot be written.
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
    """The header of a file with these tensors, whose offsets are from its end."""
    header: dict[str, Any] = {"__metadata__": metadata}
    for name, column in columns.items():
        header[name] = {
            "dtype": _NAMES[column.dtype],
            "shape": column.shape,
            "data_offsets": [column.offset, column.offset + column.nbytes],
        }
    return json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
