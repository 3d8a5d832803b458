"""Broken pickles: instructions inserted, lost, moved; those of known attacks among them."""

import pickle
import pickletools
import random
import struct

import numpy as np

from tests.datasets.mutations.damage import damage, sample
from tests.datasets.programs import array2, python2
from tests.datasets.samples import pickle_fields

WRITERS = [lambda value, p=p: pickle.dumps(value, p) for p in range(6)]
WRITERS += [lambda value, p=p: python2(value, p) for p in (1, 2)]  # pickletools reads no 0 of it
PICKLES = [
    write(tuple(pickle_fields(sample(n), rows)))
    for write in WRITERS
    for n, rows in enumerate((list, np.array))
]
COMMAND = b"S'exit 3'\n"  # to a shell; nothing here may ever ask for one
TRICKS = [
    b"cos\nsystem\n(" + COMMAND + b"tR", b"(" + COMMAND + b"ios\nsystem\n",
    b"(cos\nsystem\n" + COMMAND + b"o", b"\x8c\x02os\x8c\x06system\x93\x8c\x06exit 3\x85R",
    b"cbuiltins\nexec\n(S'import os'\ntR", b"c__builtin__\neval\n(S'1'\ntR",
    b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'dump'\ntR", b"cpickle\nloads\n(S'.'\ntR",
    b"\x8c\x08builtins\x8c\x0eos.path.exists\x93", b"cnumpy\nndarray.__class__\n",
    b"cnumpy\nload\n(S'x'\ntR", b"ctorch\nload\n(S'x'\ntR", b"cnumpy\nndarray\n)\x81",
    b"cnumpy\nndarray\n)}\x92", b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00", b"Pid\n",
    b"K\x01Q", b"\x97", b"\x98", b"}(S'__class__'\nK\x01ub", b"r\xff\xff\xff\x7f",
    b"p99999999999999999999\n", b"h\xff", b"j\xff\xff\xff\x7f", b"2", b"2\x86", b"0", b"1", b"(",
    b"t", b"\x85", b"]", b"}", b"\x8f", b"e", b"u", b"s", b"a", b"R", b"b", b"\x90", b"\x91", b".",
    b"\x8e" + struct.pack("<Q", 2**62), b"\x96" + struct.pack("<Q", 2**40), b"F1e999\n",
    b"\x8b" + struct.pack("<i", 2**31 - 1), b"\x8b" + struct.pack("<i", -1),
    b"I" + b"9" * 5000 + b"\n",
    b"L0x" + b"f" * 5000 + b"L\n", b"\x8b" + struct.pack("<i", 2000) + b"\x7f" * 2000,
    b"T" + struct.pack("<i", -1), b"X" + struct.pack("<I", 2**32 - 1), b"\x95" + bytes(8),
    array2(b"O8", b"K\x02\x85", b"|", b"\x89", b"x" * 16),
    array2(b"f4", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", b"<", b"\x89", b""),
    array2(b"f4", b"K\x00J\xff\xff\xff\x7f\x86", b"<", b"\x89", b""),
    array2(b"S9", b")", b"|", b"\x88", b"x" * 9),
    array2(b"V4", b"K\x01\x85", b"|", b"\x89", b"1234"),
    b"c_codecs\nencode\n(V" + b"x" * 99 + b"\nS'latin1'\ntR", b"c_codecs\nencode\n(Vx\nS'zip'\ntR",
    b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(U\x02f4tRU\x04\0\0\xc0\x7ftR",
    b"ccollections\nOrderedDict\n(]tR", b"cbuiltins\nset\n(]tR",
    b"cbuiltins\nbytearray\n(J\0\0\0\x7ftR",
]  # fmt: skip


def instructions(data: bytes) -> list[bytes]:
    starts = [place for _, _, place in pickletools.genops(data)]
    return [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]


PROGRAMS = [instructions(data) for data in PICKLES]


def pickled(rng: random.Random) -> bytes:
    which = rng.randrange(len(PICKLES))
    if rng.random() < 0.3:
        return damage(rng, PICKLES[which], rng.choice(PICKLES))
    return _with_changes(rng, list(PROGRAMS[which]))


def broken_program(rng: random.Random, data: bytes) -> bytes:
    """Any pickle with some of its instructions inserted, lost or moved."""
    return _with_changes(rng, instructions(data))


def _with_changes(rng: random.Random, program: list[bytes]) -> bytes:
    other = rng.choice(PROGRAMS)
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = rng.randrange(len(program) + 1)
        kind = rng.choice(
            ("trick", "trick", "pushed", "lose", "swap", "other", "argument", "splice")
        )
        if kind == "trick":
            program.insert(place, rng.choice(TRICKS))
        elif kind == "pushed":  # and taken off again, so that the rest goes on as it was
            program.insert(place, rng.choice(TRICKS) + b"0")
        elif kind == "lose":
            del program[place : place + rng.randrange(1, 4)]
        elif kind == "swap" and program:
            a, b = rng.randrange(len(program)), rng.randrange(len(program))
            program[a], program[b] = program[b], program[a]
        elif kind == "other":
            program.insert(place, rng.choice(other))
        elif kind == "argument" and place < len(program):
            program[place] = program[place][:1] + damage(rng, program[place][1:] or b"x")
        elif kind == "splice":
            program[place:] = other[rng.randrange(len(other)) :]
    return b"".join(program)
