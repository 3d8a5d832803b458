"""Arrays of all writers; references that multiply and sizes that are not there."""

import collections
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets import load_pickle
from tests.datasets.programs import FIELDS, PROTOCOLS, SMALL, array2, part, program, refused
from tests.datasets.samples import (
    load_bytes,
    make_sample,
    peak_memory,
    pickle_fields,
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([None, {}]), "numbers or strings, but got object"),
        (np.zeros(2, "c8"), "numbers or strings, but got complex64"),
        (np.zeros(2, "M8[s]"), "numbers or strings, but got datetime64"),
        (np.zeros(2, [("a", "f4")]), "refused: "),
        (np.zeros(2, "V4"), "refused: "),
        (np.ma.zeros(2), "refused: the pickle references numpy.ma"),
        (np.zeros(2).view(np.recarray), "refused: the pickle references numpy.rec"),
    ],
)
def test_other_arrays_than_of_numbers_and_strings(value, message, protocol):
    refused(pickle.dumps((*FIELDS, value), protocol), message)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_containers_and_scalars_are_read(protocol):
    value = [
        {1, "a", None, b"", 2.5}, frozenset({True}), collections.OrderedDict(b=1, a=[()]),
        bytearray(b"xy") if protocol == 5 else 1, np.float32(1), np.int8(-1), np.bool_(True),
        np.str_("é"), np.bytes_(b"\xff"), np.empty((0, 2)), 2**100, "\udcff", "\n\\",
    ]  # fmt: skip
    if protocol < 3:  # these have no way to write no bytes but a call, which no corpus needs
        value = [v for v in value if getattr(v, "size", 1)]
        value[0].remove(b"")
    load_bytes(load_pickle, pickle.dumps((*FIELDS, value), protocol))


@pytest.mark.parametrize(
    ("dtype", "order", "code"), [(b"f4", b"<", "<f"), (b"f8", b">", ">d"), (b"i2", b">", ">h")]
)
@pytest.mark.parametrize("fortran", [False, True])
def test_an_array_of_python_2(dtype, order, code, fortran):
    rows = [[1, -2, 3], [4, 5, -6]]
    flat = (
        [row[i] for i in range(3) for row in rows] if fortran else [n for row in rows for n in row]
    )
    raw = b"".join(struct.pack(code, n) for n in flat)
    array = array2(dtype, b"K\x02K\x03\x86", order, b"\x89\x88"[fortran : fortran + 1], raw)
    tables = b"}(" + b"".join(part(key) + array for key in FIELDS[0]) + b"u"
    corpus = load_bytes(load_pickle, program(audio=tables))
    for conversations in corpus.splits.values():
        assert all(
            conversation.features["audio"].tolist() == rows for conversation in conversations
        )


def of_shape(shape):
    return array2(b"f4", part(shape), b"<", b"\x89", bytes(24))


def test_the_array_of_the_shapes_here_loads():
    load_bytes(load_pickle, program(tenth=of_shape((2, 3))))


@given(st.lists(st.integers(-2, 2**70) | st.integers(0, 6), max_size=40).map(tuple))
def test_any_declared_shape_takes_no_more_than_the_file(shape):
    assert peak_memory(load_pickle, program(tenth=of_shape(shape))) < SMALL


@pytest.mark.parametrize(
    "shape",
    [(10**11, 1), (2**62, 4), (2**64, 1), (2**70,), (6, -1), (-2, -3), (7,), (5,), (), (1.5, 4),
     (1,) * 100 + (6,), (True, 6), "ab"],
)  # fmt: skip
def test_a_shape_that_does_not_fit(shape):
    data = program(tenth=of_shape(shape))
    refused(data, "an array")
    assert peak_memory(load_pickle, data) < SMALL


@pytest.mark.parametrize("instructions", [
    b"r\xff\xff\xff\x7f",  # a memo of 2^31 slots
    b"p999999999999999\n",
    b"\x8e" + struct.pack("<Q", 2**40) + b"x",
    b"\x8e" + struct.pack("<Q", 2**63 + 5) + b"x",
    b"\x8d" + struct.pack("<Q", 2**40) + b"x",
    b"\x96" + struct.pack("<Q", 2**26) + b"x",
    b"\x96" + struct.pack("<Q", 2**63 + 5) + b"x",
    b"B" + struct.pack("<I", 2**31) + b"x",
    b"T" + struct.pack("<i", 2**31 - 1) + b"x",
    b"\x8b" + struct.pack("<i", 2**31 - 1) + b"x",
    b"\x95" + struct.pack("<Q", 2**62),
    b"cnumpy\ndtype\n(U\x0aS999999999tR",
    b"cnumpy\ndtype\n(" + part("i4," * 20_000) + b"tR",  # a record of as many fields
])  # fmt: skip
def test_a_declared_size_takes_no_more_than_the_file(instructions):
    data = program(tenth=b"N" + instructions + b"0" * 8)
    assert peak_memory(load_pickle, data) < SMALL


def aliased(row, times):
    """FIELDS with one conversation of many utterances that share everything."""
    name = "train0"
    fields = [{key: list(value) for key, value in table.items()} for table in FIELDS[:7]]
    for table, value in zip(fields, ("u", "who", 0, row, row, row, "hm"), strict=True):
        table[name] = [value] * times
    return (*fields, [name], [])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("row", [np.ones(1000, np.float32), [0.5] * 1000], ids=["array", "list"])
def test_a_row_repeated_many_times(row, protocol):
    data = pickle.dumps(aliased(row, 5000), protocol)  # 15 million numbers in some 60 to 140 kB
    refused(data, "repeats its contents")
    assert peak_memory(load_pickle, data) < 100 * len(data)


def test_rows_repeated_a_few_times_are_honest():
    with pytest.warns(UserWarning, match="conversations must be in a split, but 2 are in none"):
        load_bytes(load_pickle, pickle.dumps(aliased(np.ones(1000), 2)))


def test_a_conversation_repeated_many_times():
    # Under names of its own each, so that no check of names helps.
    fields = pickle_fields(make_sample(lengths=((3000,), (2,))), rows=np.array)
    for table in fields[:7]:
        table |= dict.fromkeys(range(3000), table["train0"])
    fields[7] = list(range(1500))
    data = pickle.dumps(tuple(fields))
    refused(data, "repeats its contents")
    assert peak_memory(load_pickle, data) < 50 * len(data)


@pytest.mark.parametrize(
    "copy",
    [
        b"c_codecs\nencode\n(h\x11U\x06latin1tR",
        b"c__builtin__\nset\n(h\x12tR",
        b"cbuiltins\nfrozenset\n(h\x12tR",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(U\x06S20000tRh\x15tR",
        b"ccollections\nOrderedDict\n(h\x13tR",
        array2(b"S1", b"h\x14", b"|", b"\x89", b"").removesuffix(b"U\0tb") + b"h\x11tb",
    ],
)
def test_a_copy_repeated_many_times(copy):
    size = 20_000
    held = (
        part("x" * size)[:-2] + b"q\x11"
        + b"](" + b"".join(map(part, range(size))) + b"eq\x12"
        + b"](" + part((1, 2)) + b"q\x10" + b"h\x10" * size + b"eq\x13"
        + part((size,)) + b"q\x14" + b"B" + struct.pack("<I", size) + b"x" * size + b"q\x15"
    )  # fmt: skip
    few, many = (program(tenth=b"(" + held + copy * n + b"t") for n in (1, 1000))
    load_bytes(load_pickle, few)
    refused(many, "repeats its contents")


@pytest.mark.parametrize(
    "opener",
    [b"(", *(pytest.param(each, marks=pytest.mark.slow) for each in (b"]", b"}U\1a", b")"))],
)
def test_deep_nesting(opener):
    deep = {
        b"]": b"]" * 10**5 + b"a" * (10**5 - 1),
        b"}U\1a": b"}U\1a" * 10**5 + b"N" + b"s" * 10**5,
    }
    deep |= {b"(": b"(" * 10**5 + b"t" * 10**5, b")": b")" + b"\x85" * 10**5}
    rows = b"]" + deep[opener] + b"a" + deep[opener] + b"a"
    tables = b"}(" + b"".join(part(key) + rows for key in FIELDS[0]) + b"u"
    refused(program(audio=tables), "'train0': audio must be vectors of numbers")


@pytest.mark.parametrize(
    "keyed",
    [b"}%sNs", b"}(%sNu", b"(%sNd", b"\x8f(%s\x90", b"(%s\x91", b"cbuiltins\nset\n((l%satR",
     b"ccollections\nOrderedDict\n((l(%sNtatR"],
)  # fmt: skip
@pytest.mark.parametrize(
    "key", [b"(" * 10**5 + b"t" * 10**5, b")" + b"2\x86" * 70], ids=["deep", "doubled 70 times"]
)
def test_a_key_that_would_take_for_ever_to_hash(keyed, key):
    refused(program(tenth=keyed.replace(b"%s", key)), "keys must be plain, but got tuple")


LONG = b"X" + struct.pack("<I", 2000) + b"a" * 2000 + b"q\x20"


@pytest.mark.parametrize(
    ("instructions", "message"),
    [
        (b"\x8b" + struct.pack("<i", 999) + b"\1" * 999 + b"q\x20}h\x20Ns", "short, but got int"),
        (b"L0x" + b"f" * 999 + b"L\nq\x20(h\x20\x91", "short, but got int of size 3996"),
        (LONG + b"}h\x20Ns", "short, but got str of size 2000"),
        (b"\x8f(" + LONG + b"\x90", "short, but got str of size 2000"),
        (
            b"(" + b"N" * 99 + b"tq\x20cnumpy.core.multiarray\n_reconstruct\nh\x20R",
            "too many arguments",
        ),
        (b"cnumpy.core.multiarray\n_reconstruct\n](NNNeR", "too many arguments"),
        (b"cnumpy\ndtype\n(U\x02f4tR(K\x01U\x01<" + b"N" * 99 + b"tb", "too many arguments"),
    ],
)
def test_slow_operations_cannot_be_repeated_often(instructions, message):
    """Hashing and comparing long keys, and unpacking long arguments: two bytes to say again."""
    refused(program(tenth=instructions), message)


@pytest.mark.parametrize(
    ("table", "message"), [(2, "keys must be short"), (6, "repeats its contents")]
)
def test_a_long_string_of_an_array_repeated_many_times(table, message):
    fields = pickle_fields(make_sample(lengths=((1,) * 300, (1,))), rows=np.array)
    fields[table] = dict.fromkeys(fields[table], np.array([b"x" * 100_000]))
    data = pickle.dumps(tuple(fields))
    refused(data, message)
    assert peak_memory(load_pickle, data) < 10 * len(data)


@pytest.mark.parametrize("speaker", ["a" * 2000, b"a" * 2000, 2**2000])
def test_speakers_have_short_names(speaker):
    fields = pickle_fields(make_sample())
    fields[1]["train0"] = [speaker] * 3
    refused(pickle.dumps(tuple(fields)), "'train0': refused: keys must be short")


def test_labels_are_short():
    fields = pickle_fields(make_sample())
    fields[2]["train0"] = [2**2000] * 3
    refused(pickle.dumps(tuple(fields)), "'train0': refused: keys must be short, but got int")
