"""Broken safetensors: the index, written anew so that it fits; its JSON; the tensors."""

import json
import random
import struct

import safetensors.torch

from graphfusion.models.saved_checksum import with_checksum
from tests.datasets.mutations.damage import SIZES, damage

VALUES = (
    None, True, False, 0, 1, -1, 1.5, float("nan"), float("inf"), 1e308, "", "0", "x", "train",
    "\0", "ä" * 300, [], {}, [[]], [None], {"": 0}, {"train": []}, [0] * 99, *SIZES,
)  # fmt: skip
DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2",
          "F8_E8M0", "F4", "C64", "U64", "f32", "", None, 3)  # fmt: skip


def edit(rng: random.Random, value: object) -> object:
    """JSON with one value replaced, lost, doubled or moved, wherever it is."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        rest = {name: each for name, each in value.items() if name != key}
        action = rng.random()
        if action < 0.1:
            return rest
        if action < 0.2:
            return rest | {
                rng.choice((key + "x", "", "y", "ptr", "features.", "__metadata__")): value[key]
            }
        if action < 0.3:  # another order
            return {key: value[key]} | rest
        return value | {key: edit(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        action = rng.random()
        if action < 0.2:
            return value[:place] + value[place + 1 :]
        if action < 0.4:
            return [*value[:place], value[place], *value[place:]]
        return [*value[:place], edit(rng, value[place]), *value[place + 1 :]]
    return rng.choice(VALUES)


def safetensors_file(rng: random.Random, data: bytes, key: str, other: bytes) -> bytes:
    """The file broken; `key` of its metadata is JSON."""
    kind = rng.choice(
        ("bytes", "metadata", "metadata", "metadata", "text", "index", "tensors", "tensors")
    )
    if kind == "bytes":
        return damage(rng, data, other)
    size = int.from_bytes(data[:8], "little")
    index, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    if kind == "metadata":
        inner = json.loads(index["__metadata__"][key])
        for _ in range(rng.choice((1, 1, 3))):
            inner = edit(rng, inner)
        index["__metadata__"][key] = json.dumps(inner)
    elif kind == "text":
        inner = index["__metadata__"][key].encode()
        index["__metadata__"][key] = damage(rng, inner).decode("latin1")
    elif kind == "index":
        index = edit(rng, index)
    else:
        index, body = _rewritten(rng, index, body)
    header = json.dumps(index).encode()
    if rng.random() < 0.1:
        header = damage(rng, header)
    return struct.pack("<Q", len(header)) + header + body


def _rewritten(rng: random.Random, index: dict, body: bytes) -> tuple[dict, bytes]:
    """Tensors of other shapes, dtypes, sizes and names, one after the other without a gap."""
    tensors = {name: value for name, value in index.items() if name != "__metadata__"}
    chosen = rng.sample(sorted(tensors), min(len(tensors), rng.choice((1, 1, 2))))
    index, whole = {"__metadata__": index["__metadata__"]}, b""
    for name, entry in sorted(tensors.items(), key=lambda each: each[1]["data_offsets"]):
        shape, dtype = list(entry["shape"]), entry["dtype"]
        raw = body[slice(*entry["data_offsets"])]
        if name in chosen:
            kind = rng.choice(("values", "values", "dtype", "shape", "rows", "name", "lose"))
            if kind == "lose":
                continue
            if kind == "name":
                name = rng.choice((name + "x", "", "present", "score", "features.new", "ptr"))
            elif kind == "values":
                raw = damage(rng, raw)[: len(raw)].ljust(len(raw), rng.choice((b"\0", b"\xff")))
            elif kind == "dtype":
                dtype = rng.choice(DTYPES)
            elif kind == "shape":
                shape = rng.choice(
                    ([len(raw)], shape[::-1], [1, *shape], [*shape, 1], [0], [], SIZES[:2])
                )
            elif shape and shape[0]:
                raw, shape = raw[: -len(raw) // shape[0]], [shape[0] - 1, *shape[1:]]
        index[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(whole), len(whole) + len(raw)],
        }
        whole += raw
    return index, whole


def without_checksums(data: bytes) -> bytes:
    """A corpus without its checksums, as other tools write it: else they are all that is read."""
    try:
        size = int.from_bytes(data[:8], "little")
        index = json.loads(data[8 : 8 + size])
        inner = json.loads(index["__metadata__"]["corpus"])
        del inner["checksums"]
        index["__metadata__"]["corpus"] = json.dumps(inner)
    except (ValueError, LookupError, TypeError):
        return data
    header = json.dumps(index).encode()
    return struct.pack("<Q", len(header)) + header + data[8 + size :]


def with_right_checksum(data: bytes) -> bytes:
    """A model's weights with the checksum that they should have, without which none is read."""
    try:
        size = int.from_bytes(data[:8], "little")
        index = json.loads(data[8 : 8 + size])
        config = json.loads(index["__metadata__"]["config"])
        config.pop("sha256", None)
        index["__metadata__"] = with_checksum(config, safetensors.torch.load(data))
    except (ValueError, LookupError, TypeError, AttributeError, safetensors.SafetensorError):
        return data
    header = json.dumps(index).encode()
    return struct.pack("<Q", len(header)) + header + data[8 + size :]
