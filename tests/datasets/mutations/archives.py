"""Broken .npz: the headers of members, their order and number, the directory."""

import io
import random
import struct
import zipfile

import numpy as np
from numpy.lib import format as npy

from tests.datasets.mutations.damage import SIZES, damage, sample
from tests.datasets.samples import npz_arrays, npz_bytes

ARRAYS = [
    npz_arrays(sample(0)),
    npz_arrays(sample(1)) | {"score": np.linspace(-3, 3, 7)},
    {name: value.astype("S") if value.dtype.kind == "U" else value
     for name, value in npz_arrays(sample(2)).items()},
    npz_arrays(sample(3)) | {"label": np.eye(3, dtype=bool)[npz_arrays(sample(3))["label"]]},
]  # fmt: skip
DESCRS = (
    "<f4", ">f8", "<f2", "<i8", "|b1", "|O", "<U3", "|S0", "<U0", "|V4", "<M8[s]", "<c8", "<f16",
    "S2147483647", "<U999999999", "i4,f4", "(2,)f4", "numpy.ndarray", "O8", "", "a", None, 7,
    [("a", "<f4")], [("a", "|O")], [("a", "<f4", (2**31,))], ("<f4", (2**31,)), {"names": ["a"]},
)  # fmt: skip
TUPLES = ("(6,)", "()", "[6]", "6", "(6,)*9", "(True,)", "('6',)", "(6.0,)", "(6L,)", "((6,),)")


def npy_member(rng: random.Random, array: np.ndarray) -> bytes:
    file = io.BytesIO()
    npy.write_array(file, array)
    data = file.getvalue()
    size = int.from_bytes(data[8:10], "little")
    body = data[10 + size :]
    kind = rng.choice(("fields", "fields", "text", "body", "bytes", "version"))
    if kind == "bytes":
        return damage(rng, data)
    if kind == "version":
        return data[:6] + bytes((rng.randrange(5), rng.randrange(3))) + data[8:]
    if kind == "body":
        return data[: 10 + size] + damage(rng, body)
    shape: object = array.shape
    descr: object = array.dtype.str
    if rng.random() < 0.6:
        shape = tuple(rng.choice((*array.shape, *SIZES)) for _ in range(rng.randrange(4)))
    if rng.random() < 0.6:
        descr = rng.choice(DESCRS)
    text = repr({"descr": descr, "fortran_order": rng.random() < 0.3, "shape": shape})
    if kind == "text":
        text = rng.choice((
            text.replace(str(shape), rng.choice(TUPLES)),
            text.replace("fortran", rng.choice(("f", "fortran' 'x", "\0"))),
            text[:-1], text * 2, text + " + 1", "[" * rng.choice((5, 100, 400)) + text,
            damage(rng, text.encode("latin1")).decode("latin1"),
        ))  # fmt: skip
    raw = text.encode("latin1", "replace") + b"\n"
    return npy.magic(1, 0) + struct.pack("<H", len(raw)) + raw + body


def npz(rng: random.Random) -> bytes:
    arrays = dict(rng.choice(ARRAYS))
    other = npz_bytes(rng.choice(ARRAYS), rng.choice((np.savez, np.savez_compressed)))
    kind = rng.choice(("members", "members", "members", "names", "values", "bytes", "directory"))
    if kind == "bytes":
        return damage(rng, npz_bytes(arrays, rng.choice((np.savez, np.savez_compressed))), other)
    names = list(arrays)
    if kind == "values":
        for name in rng.sample(names, rng.randrange(1, 3)):
            array = arrays[name].copy()
            if array.dtype.kind in "US" or rng.random() < 0.3:
                array = rng.choice((array[::-1], array[:-1], array[:, None], array.astype("S")))
            else:
                array.flat[rng.randrange(array.size)] = rng.choice((-1, 99, 2**14))
            arrays[name] = np.ascontiguousarray(array)
    broken = rng.sample(names, rng.randrange(1, 3)) if kind == "members" else []
    file = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(file, "w") as out:
        for name in names:
            title = f"{name}.npy"
            if kind == "names" and rng.random() < 0.2:
                title = rng.choice(("?", "../x.npy", "/x.npy", "label.npy", "x", ".npy", "é\n.npy"))
            if kind == "names" and rng.random() < 0.1:
                continue
            data = npy_member(rng, arrays[name]) if name in broken else _npy(arrays[name])
            out.writestr(zipfile.ZipInfo(title), data, method)  # whose time is not today's
    data = file.getvalue()
    if kind == "directory":  # what it says of a member, or of itself
        start = data.index(b"PK\1\2")
        return data[:start] + damage(rng, data[start:])
    return data


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    npy.write_array(file, array)
    return file.getvalue()
