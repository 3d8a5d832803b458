import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets import IEMOCAP, FormatError, load, load_pickle
from tests.datasets.programs import python2
from tests.datasets.samples import (
    MODALITIES,
    assert_holds,
    load_bytes,
    make_sample,
    pickle_fields,
    rows,
    samples,
)

IDS, SPEAKERS, LABELS, TEXT, AUDIO, VISUAL, SENTENCES, TRAIN, TEST = range(9)

WRITERS = {
    **{f"protocol {p}": lambda fields, p=p: pickle.dumps(fields, p) for p in range(6)},
    **{f"python 2, protocol {p}": lambda fields, p=p: python2(fields, p) for p in range(3)},
}
MATRICES = {
    "array": np.array,
    "Fortran array": np.asfortranarray,
    "big-endian array": lambda x: x.astype(">f8"),
    "list of arrays": list,
    "tuple of double arrays": lambda x: tuple(x.astype("f8")),
    "list of lists": lambda x: x.tolist(),
    "list of lists of scalars": lambda x: [list(row) for row in x],
    "list of strided arrays": lambda x: list(np.repeat(x, 2, axis=1)[:, ::2]),
}
NAMES = {
    "strings": list,
    "integers": lambda names: [int(name.split()[1]) - 1 for name in names],
    "letters": lambda names: np.array([name[-1] for name in names]),
    "bytes": lambda names: np.array([name.encode() for name in names]),
    "one-hot lists": lambda names: [np.eye(3, dtype=int)[int(n[-1])].tolist() for n in names],
    "one-hot arrays": lambda names: [np.eye(3)[int(n[-1])] for n in names],
    "one-hot matrix": lambda names: np.eye(3, dtype=bool)[[int(n[-1]) for n in names]],
}
LABELLINGS = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "bytes": lambda labels: np.array(labels, np.uint8),
    "scalars": lambda labels: list(np.array(labels)),
}
SCORES = (-3.0, -1.5, -0.5, 0.0, 0.5, 1.5, 3.0)


def forms(table):
    return st.sampled_from(sorted(table)).map(lambda name: table[name])


def loaded(fields):
    return load_bytes(load_pickle, pickle.dumps(tuple(fields)))


@given(
    samples(),
    forms(WRITERS),
    forms(MATRICES),
    forms(NAMES),
    forms(LABELLINGS),
    st.sampled_from([list, tuple, set]),
    st.sampled_from([[], [{}], [None]]),
)
def test_round_trip(sample, write, matrix, names, labelling, ids, tenth):
    fields = pickle_fields(sample, matrix)
    for table, convert in ((SPEAKERS, names), (LABELS, labelling)):
        fields[table] = {key: convert(value) for key, value in fields[table].items()}
    fields[TRAIN], fields[TEST] = ids(fields[TRAIN]), ids(fields[TEST])
    corpus = load_bytes(load_pickle, write((*fields, *tenth)))
    assert_holds(corpus, sample, map(str, range(sample.num_classes)), MODALITIES)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_iemocap(write):
    sizes = (("audio", 1582), ("visual", 342), ("text", 100))
    sample = make_sample(lengths=((20, 30), (25,)), sizes=sizes, num_classes=6)
    corpus = load_bytes(load_pickle, write(tuple(pickle_fields(sample))))
    assert corpus.in_channels == dict(sizes)
    assert_holds(corpus, sample, "012345", MODALITIES)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_meld(write):
    # Conversations are numbered, speakers are one-hot rows, and there is a tenth element.
    sizes = (("audio", 300), ("visual", 342), ("text", 600))
    sample = make_sample(lengths=((10, 14), (9,)), sizes=sizes, num_classes=7)
    *tables, train, test = pickle_fields(sample)
    number = {conversation.id: 1000 + n for n, conversation in enumerate(sample.conversations)}
    tables = [{number[key]: value for key, value in table.items()} for table in tables]
    tables[SPEAKERS] = {
        key: [np.eye(9, dtype=int)[int(name[-1])].tolist() for name in names]
        for key, names in tables[SPEAKERS].items()
    }
    train, test = ([number[key] for key in keys] for keys in (train, test))
    corpus = load_bytes(load_pickle, write((*tables, train, test, {"neutral": 0})))
    for conversation in sample.conversations:
        conversation.id = str(number[conversation.id])
    assert corpus.in_channels == dict(sizes)
    assert_holds(corpus, sample, "0123456", MODALITIES)


def test_a_modality_without_features_is_left_out():
    sample = make_sample()
    fields = pickle_fields(sample)
    fields[VISUAL] = fields[SENTENCES] = {}
    assert_holds(loaded(fields), sample, "01", ("audio", "text"))


def test_conversations_of_no_split_are_counted():
    fields = pickle_fields(make_sample())
    fields[TRAIN] = ["train1"]
    del fields[AUDIO]["train0"]
    with pytest.warns(UserWarning, match="1 is in none, such as 'train0'"):
        corpus = loaded(fields)
    assert [each.id for each in corpus.splits["train"]] == ["train1"]


@pytest.mark.parametrize("read", [load, load_pickle, IEMOCAP])
def test_a_warning_names_the_line_that_reads(tmp_path, read):
    fields = pickle_fields(make_sample(lengths=((6, 2), (4,)), num_classes=6))
    fields[TRAIN] = ["train0"]  # which has all six classes
    path = tmp_path / "IEMOCAP_features.pkl"
    path.write_bytes(pickle.dumps(tuple(fields)))
    with pytest.warns(UserWarning, match="1 is in none") as caught:
        read(tmp_path if read is IEMOCAP else path)
    assert [each.filename for each in caught] == [__file__]


@given(samples(), forms(WRITERS), st.sampled_from([list, tuple, np.array]), st.randoms())
def test_labels_that_are_all_floats_are_scores(sample, write, container, random):
    fields = pickle_fields(sample)
    fields[LABELS] = {
        conversation.id: [random.choice(SCORES) for _ in conversation.labels]
        for conversation in sample.conversations
    }
    fields[LABELS]["train0"][0] = 0.5  # else they may be numbers of classes
    containers = {key: container(value) for key, value in fields[LABELS].items()}
    corpus = load_bytes(load_pickle, write((*fields[:LABELS], containers, *fields[TEXT:])))
    assert corpus.classes == ()
    for conversation in (
        conversation for conversations in corpus.splits.values() for conversation in conversations
    ):
        assert conversation.y.dtype == torch.float32
        assert conversation.y.tolist() == fields[LABELS][conversation.id]


def test_a_set_of_ids_is_sorted():
    fields = pickle_fields(make_sample(lengths=((1,) * 9, (1,))))
    fields[TRAIN] = set(fields[TRAIN])
    assert [t.id for t in loaded(fields).splits["train"]] == [f"train{n}" for n in range(9)]


def field(place, value):
    def edit(fields):
        fields[place] = value

    return edit


def entry(table, value):
    """Changes what a table has for the second conversation, which has two utterances."""

    def edit(fields):
        fields[table]["train1"] = value(fields[table]["train1"]) if callable(value) else value

    return edit


def without(table):
    return lambda fields: fields[table].pop("train1")


def shorten(values):
    return values[1:]


def second(value):
    """Changes the second utterance's entry."""
    return lambda values: [values[0], value(values[1]) if callable(value) else value]


TABLES = ("ids", "speakers", "labels", "text", "audio", "visual", "sentences")
VIOLATIONS = [
    (lambda fields: fields.pop(), "a tuple of dicts .* but got 8 elements"),
    (lambda fields: fields.extend([1, 2]), "a tuple of dicts .* but got 11 elements"),
    *((field(n, []), "a tuple of dicts .* but got 9 elements") for n in range(len(TABLES))),
    (field(TRAIN, "train0"), "a tuple of dicts .* dict, str, list"),
    (field(TEST, [("a",)]), "the test ids must be .* of strings or integers"),
    (field(TEST, {1, "a"}), "TypeError"),
    (field(TEST, ["train1"]), "'train1': must be in one split, once, .* 'train' and 'test'"),
    (field(TRAIN, ["train1"] * 2), "'train1': must be in one split, once"),
    (field(TRAIN, []), "splits must have conversations in 'train'"),
    (field(TRAIN, ["absent"]), "conversation 'absent': ids must have the conversation"),
    *((without(n), f"'train1': {TABLES[n]} must have the conversation") for n in range(SENTENCES)),
    *(
        (entry(n, shorten), rf"'train1': {TABLES[n]} must have one entry .* \(2\), but has 1")
        for n in range(SPEAKERS, SENTENCES + 1)
    ),
    (entry(IDS, shorten), r"'train1': sentences must have one entry per utterance \(1\)"),
    (entry(IDS, []), "'train1': the conversation must have an utterance"),
    (entry(LABELS, 3), "'train1': labels must be a list or an array, but got int"),
    (entry(LABELS, np.array(3)), r"'train1': labels must have one entry .* \(2\), but has 1"),
    (entry(AUDIO, second(np.array(3.0))), "'train1': audio must be vectors of one size"),
    (entry(LABELS, [0, 1.0]), "class numbers or scores"),
    (entry(LABELS, [0, True]), "'train1': labels must be numbers, .* utterance 1 has bool"),
    (entry(LABELS, np.zeros(2)), "class numbers or scores"),
    (entry(LABELS, [0, -2]), "'train1': labels must not be negative.* utterance 1 has -2"),
    (entry(LABELS, [0, 3]), "'train1': labels must leave no gaps, but it has 3 and .* has 2"),
    (entry(LABELS, [0, 10**30]), "'train1': labels must leave no gaps"),
    (
        entry(AUDIO, second(shorten)),
        "'train1': audio must be .* one size, but utterance 1's has 2 ",
    ),
    (entry(AUDIO, np.ones((2, 2))), "'train1': features must have .*'audio': 3.*'audio': 2"),
    (
        entry(TEXT, second(lambda row: row * np.nan)),
        "'train1': text must be finite, but utterance 1 has NaN or inf",
    ),
    (entry(TEXT, [[0, 0], [0, 1e300]]), "'train1': text must be finite, but utterance 1 "),
    (
        entry(AUDIO, [[10**400], [0]]),
        "'train1': audio must be vectors .* utterance 0 has a number out of the range",
    ),
    (
        entry(AUDIO, [[], []]),
        "'train1': audio must be vectors of numbers, but utterance 0 has ",
    ),
    (
        entry(AUDIO, second([0, np.zeros(2)])),
        r"'train1': audio .* utterance 1 has a list with an array of float64 of shape \[2\]",
    ),
    (entry(AUDIO, np.zeros((2, 3, 1))), r"'train1': utterance 0: .* frames, \[3, 1\]"),
    *(
        (entry(AUDIO, second(odd)), "'train1': audio must be vectors .* utterance 1 has ")
        for odd in ("abc", 1.5, [0, 1, "x"], [[1, 2, 3]], np.array(["a"] * 3), np.empty(0))
    ),
    (entry(SPEAKERS, ["a", 1]), "'train1': speakers must be"),
    (entry(SPEAKERS, [None, None]), "'train1': speakers must be"),
    *(
        (
            entry(SPEAKERS, [[1, 0], row]),
            "'train1': speakers must be one-hot .* utterance 1's is no",
        )
        for row in ([0, 0], [1, 1], [2, -1], [0, 2], [0.5, 0.5], [float("nan"), 1])
    ),
    (lambda fields: [fields[n].clear() for n in (TEXT, AUDIO, VISUAL)], "modality"),
]


@pytest.mark.parametrize(("edit", "message"), VIOLATIONS)
def test_a_violated_schema_is_named(tmp_path, edit, message):
    fields = pickle_fields(make_sample())
    edit(fields)
    path = tmp_path / "features.pkl"
    path.write_bytes(pickle.dumps(tuple(fields)))
    with pytest.raises(FormatError, match=f"^{re.escape(str(path))}: .*{message}"):
        load_pickle(path)


def test_other_than_a_tuple():
    with pytest.raises(FormatError, match="a tuple or list of dicts and lists, .* but got str"):
        load_bytes(load_pickle, pickle.dumps("features"))


def test_ids_that_read_alike_are_refused():
    fields = pickle_fields(make_sample())
    for table in fields[:7]:
        table["1"], table[1] = table["train0"], table["train1"]
    fields[TRAIN] = ["1", 1]
    with pytest.raises(FormatError, match="conversation '1': must be in one split, once"):
        loaded(fields)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_pickle(tmp_path / "none.pkl")


@pytest.mark.parametrize("order", ["test, dev", "dev, test"])
def test_a_third_list_of_ids_is_a_split(order):
    """In either order, where the ids say which is the test's."""
    sample = make_sample(lengths=((2,), (3,), (1,)), splits=("train", *order.split(", ")))
    fields = pickle_fields(sample)
    train, second, third = ([conversation.id] for conversation in sample.conversations)
    fields[TRAIN:] = [train, np.array(second), third]
    splits = {name: [t.id for t in each] for name, each in loaded(fields).splits.items()}
    assert splits == {
        conversation.split: [conversation.id] for conversation in sample.conversations
    }


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("any", "dev"), ("test", "dev")),
        (("val", "any"), ("dev", "test")),
        (("Ses05", "any"), ("test", "dev")),
        (("any", "Ses05"), ("dev", "test")),
    ],
)
def test_one_list_of_known_ids_gives_the_order(names, splits):
    sample = make_sample(lengths=((2,), (3,), (1,)), splits=("train", *names))
    fields = pickle_fields(sample)
    fields[TRAIN:] = [["train0"], [f"{names[0]}1"], [f"{names[1]}2"]]
    found = {name: [each.id for each in them] for name, them in loaded(fields).splits.items()}
    assert found == {"train": ["train0"], splits[0]: fields[TEST], splits[1]: fields[-1]}


def test_a_third_list_of_anything_else_is_ignored():
    sample = make_sample()
    assert_holds(loaded([*pickle_fields(sample), [["train0"]]]), sample, "01", MODALITIES)
    assert_holds(loaded([*pickle_fields(sample), ["other"]]), sample, "01", MODALITIES)


def test_splits_are_as_many_as_the_lists():
    data = pickle.dumps(tuple(pickle_fields(make_sample())))
    with pytest.raises(FormatError, match=r"splits must be 2 names, .* got \('train',\)"):
        load_bytes(lambda path: load_pickle(path, splits=("train",)), data)


def test_frames_are_averaged_by_an_option():
    sample = make_sample()
    fields = pickle_fields(sample)
    fields[AUDIO] = {
        key: [np.stack([row, row, 0 * row]) for row in rows] for key, rows in fields[AUDIO].items()
    }
    data = pickle.dumps(tuple(fields))
    corpus = load_bytes(lambda path: load_pickle(path, frames="mean"), data)
    assert_holds(corpus, sample, "01", MODALITIES)


def test_lists_without_a_known_order_are_refused():
    fields = pickle_fields(make_sample(lengths=((2,), (3,)), splits=("train", "other")))
    fields[TRAIN:] = [["train0"], [], ["other1"]]
    with pytest.raises(FormatError, match="pass splits="):
        loaded(fields)
    data = pickle.dumps(tuple(fields))
    order = ("train", "dev", "test")
    corpus = load_bytes(lambda path: load_pickle(path, splits=order), data)
    assert [each.id for each in corpus.splits["test"]] == ["other1"]


def test_labels_and_features_may_be_none():
    fields = pickle_fields(make_sample())
    fields[LABELS]["train0"] = [None, -1, -100]
    fields[LABELS]["train1"] = [0, 1]
    fields[AUDIO]["train1"] = [None, None]
    fields[TEXT]["train0"][1] = None
    corpus = loaded(fields)
    first, second = corpus.splits["train"]
    assert first.y.tolist() == [-100] * 3
    assert rows(first) == [[True] * 3, [True, True, False], [True] * 3]
    assert [row[0] for row in rows(second)] == [False, False]
    assert corpus.in_channels == {"audio": 3, "visual": 2, "text": 4}
