"""Files in exactly the shapes that the field's scripts write and read, made of small numbers."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets import FormatError, load, load_pickle, validate
from tests.datasets.programs import python2
from tests.datasets.samples import load_bytes, make_sample, pickle_fields, rows

TEXTS = ("text1", "text2", "text3", "text4")
SIZES = tuple((name, size) for size, name in enumerate((*TEXTS, "text", "audio", "visual"), 2))
SAMPLE = make_sample(
    sizes=SIZES, lengths=((3, 2), (4,), (2,)), splits=("train", "test", "dev"), num_classes=3
)
KEPT = make_sample(sizes=SIZES, lengths=((3, 2), (4,)), num_classes=3)


def table(value, sample=SAMPLE):
    return {each.id: value(each) for each in sample.conversations}


def vectors(name, sample=SAMPLE):
    """As COSMIC writes them: a list of rows, arrays of float32."""
    return table(lambda each: list(each.features[name]), sample)


def ids(split, sample=SAMPLE):
    return [each.id for each in sample.conversations if each.split == split]


def one_hot(each):
    """As MELD's speakers are written: of nine."""
    return [np.eye(9, dtype=int)[int(name.split()[1])].tolist() for name in each.speakers]


def letters(each):
    return ["MF"[int(name.split()[1]) % 2] for name in each.speakers]


def digits(each):
    return [str(int(name.split()[1]) % 2) for name in each.speakers]


def labels(sample=SAMPLE):
    return table(lambda each: each.labels, sample)


def said(sample=SAMPLE):
    return table(lambda each: ["words"] * len(each.labels), sample)


def names(sample=SAMPLE):
    return table(lambda each: [f"{each.id}_{u}" for u in range(len(each.labels))], sample)


THREE = (ids("train"), ids("test"), ids("dev"))
TWO = (ids("train", KEPT), ids("test", KEPT))
FOUR = [vectors(name) for name in TEXTS]
BOTH = [vectors(name, KEPT) for name in (*TEXTS, "audio", "visual")]
MODALITIES = ("audio", "visual", *TEXTS)
HEAD = (names(KEPT), table(one_hot, KEPT), labels(KEPT))
FIELD = {
    "DialogueRNN's IEMOCAP": (
        (
            names(KEPT), table(letters, KEPT), labels(KEPT), vectors("text", KEPT),
            vectors("audio", KEPT), vectors("visual", KEPT), said(KEPT), *TWO,
        ),
        ("audio", "visual", "text"),
    ),
    "MMGCN's MELD": (
        (
            *HEAD, vectors("text", KEPT), vectors("audio", KEPT), vectors("visual", KEPT),
            said(KEPT), set(TWO[0]), set(TWO[1]), {"neutral": 0},
        ),
        ("audio", "visual", "text"),
    ),
    "DialogueRNN's MELD": (
        (
            *HEAD, vectors("text", KEPT), vectors("audio", KEPT), said(KEPT), *TWO, labels(KEPT)
        ),
        ("audio", "text"),
    ),
    "COSMIC's IEMOCAP": ([table(letters), labels(), *FOUR, said(), *THREE], TEXTS),
    "COSMIC's EmoryNLP": ([table(digits), labels(), *FOUR, said(), *THREE], TEXTS),
    "COSMIC's MELD": ([table(one_hot), labels(), labels(), *FOUR, said(), *THREE], TEXTS),
    "DialogueGCN's DailyDialog": (
        [table(digits), vectors("text"), labels(), labels(), *map(set, THREE)], ("text",)
    ),
    "SDT's IEMOCAP": ((*HEAD, *BOTH, said(KEPT), *TWO), MODALITIES),
    "SDT's MELD": ((*HEAD, *BOTH, said(KEPT), *TWO, {}), MODALITIES),
    "GraphSmile's MELD": (
        (*HEAD, labels(KEPT), *BOTH, said(KEPT), *TWO, {"train": 0}), MODALITIES
    ),
    "GraphSmile's MELD, without the last": (
        (*HEAD, labels(KEPT), *BOTH, said(KEPT), *TWO), MODALITIES
    ),
}  # fmt: skip
MATRICES = st.sampled_from([list, np.array, lambda values: [row.tolist() for row in values]])
KEYS = st.sampled_from([str, hash, lambda key: abs(hash(key)) % 2**31])
LISTS = st.sampled_from([list, tuple, np.array])
WRITERS = st.sampled_from([*(lambda v, p=p: pickle.dumps(v, p) for p in range(6)), python2])


def renamed(fields, matrix, key, listed):
    """The same with other containers: what a library of another year would have written."""

    def convert(value):
        if isinstance(value, dict):
            return {
                key(name): matrix(each) if isinstance(each[0], np.ndarray) else each
                for name, each in value.items()
            }
        return listed([key(name) for name in value])

    shown = [
        value if isinstance(value, dict) and set(value) & {"neutral", "train"} else convert(value)
        for value in fields
    ]
    return type(fields)(shown)


@pytest.mark.parametrize("name", FIELD)
@given(matrix=MATRICES, key=KEYS, listed=LISTS, write=WRITERS)
def test_the_fields_tuples(name, matrix, key, listed, write):
    fields, modalities = FIELD[name]
    sample = KEPT if isinstance(fields, tuple) else SAMPLE
    corpus = load_bytes(load, write(renamed(fields, matrix, key, listed)))
    assert tuple(corpus.in_channels) == modalities
    assert list(corpus.splits) == list(dict.fromkeys(each.split for each in sample.conversations))
    read = {each.id: (split, each) for split, them in corpus.splits.items() for each in them}
    assert len(read) == len(sample.conversations)
    for each in sample.conversations:
        split, conversation = read[str(key(each.id))]
        assert split == each.split
        assert conversation.y.tolist() == each.labels
        for modality in modalities:
            expected = np.asarray(each.features[modality], np.float32)
            assert (conversation.features[modality].numpy() == expected).all()


def test_numbers_of_words_are_no_vectors():
    fields, _ = FIELD["DialogueGCN's DailyDialog"]
    longest = dict.fromkeys(labels(), 4)
    with pytest.raises(FormatError, match="DialogueRNN's DailyDialog, whose .* word indices"):
        load_bytes(load_pickle, pickle.dumps([*fields[:2], longest, *fields[2:]]))


def test_an_object_is_refused():
    """As the samples of another DialogueGCN are, a class of its own."""
    data = b"\x80\x03}X\x05\x00\x00\x00train]cdgcn.Sample\nSample\n)\x81as."
    with pytest.raises(FormatError, match="refused: "):
        load_bytes(load, data)


def mmsa(frames=0, rng=None, lacking=()):
    """One split as MMSA writes it: the clips of a video in any order."""
    rng = rng or np.random.default_rng(0)
    shape = (4, frames) if frames else (4,)
    part = {
        "raw_text": np.array(["one", "two", "three", "four"]),
        "text_bert": rng.normal(size=(4, 3, 5)).astype("f4"),
        "text": rng.normal(size=(*shape, 6)).astype("f4"),
        "audio": rng.normal(size=(*shape, 3)).astype("f4"),
        "vision": rng.normal(size=(*shape, 2)),
        "id": ["a$_$2", "b$_$0001", "a$_$10", "a$_$1"],
        "annotations": ["Neutral"] * 4,
        "classification_labels": np.array([1.0, 0, 2, 1]),
        "regression_labels": np.array([0.5, -1, 2, 3], "f4"),
        "audio_lengths": [2] * 4,
        "vision_lengths": [2] * 4,
    }
    return {name: value for name, value in part.items() if name not in lacking}


SPLITS = st.sampled_from([("train", "valid", "test"), ("train", "test"), ("train", "valid")])


@given(
    SPLITS,
    st.sampled_from([(), ("text",), ("audio", "vision")]),
    st.sampled_from([list, np.array]),
    st.sampled_from([lambda y: y, lambda y: y.tolist(), lambda y: y[:, None]]),
    WRITERS,
)
def test_mmsa(splits, lacking, ids, scores, write):
    whole = {}
    for split in splits:
        part = mmsa(lacking=lacking)
        part["id"] = ids([split[:2] + name for name in part["id"]])
        part["regression_labels"] = scores(part["regression_labels"])
        whole[split] = part
    corpus = load_bytes(load, write(whole))
    assert corpus.classes == ()
    assert list(corpus.splits) == ["dev" if split == "valid" else split for split in splits]
    assert list(corpus.in_channels) == [m for m in ("text", "audio", "vision") if m not in lacking]
    for split, them in zip(splits, corpus.splits.values(), strict=True):
        first, second = them
        assert (first.id, second.id) == (split[:2] + "a", split[:2] + "b")
        assert first.y.tolist() == [3, 0.5, 2]
        assert second.y.tolist() == [-1]
        for name in corpus.in_channels:
            expected = mmsa()[name].astype("f4")
            assert (first.features[name].numpy() == expected[[3, 0, 2]]).all()


def test_mmsas_frames_are_averaged_by_an_option():
    part = mmsa(frames=5)
    part["audio"][:, 2:] = 0  # padding
    data = pickle.dumps({"train": part})
    with pytest.raises(FormatError, match=r"text must be one vector .* frames, \[5, 6\]"):
        load_bytes(load_pickle, data)
    corpus = load_bytes(lambda path: load_pickle(path, frames="mean"), data)
    found = corpus.splits["train"][1].features
    np.testing.assert_allclose(found["audio"][0], part["audio"][1, :2].mean(0), rtol=1e-6)
    np.testing.assert_allclose(found["vision"][0], part["vision"][1].mean(0), rtol=1e-6)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda part: part.pop("id"), "must have id"),
        (lambda part: part.pop("regression_labels"), "must have regression_labels"),
        (lambda part: [part.pop(name) for name in ("text", "audio", "vision")], "must have text"),
        (lambda part: part.update(id=["a$_$1"]), "must have one entry per utterance"),
        (
            lambda part: part.update(regression_labels=[0.5]),
            r"regression_labels must have one entry per utterance \(4\), but has 1",
        ),
        (lambda part: part.update(id=["a", "b", "c", "d"]), "id must be VIDEO.*row 0 has 'a'"),
        (lambda part: part.update(audio=np.full((4, 3), -np.inf)), "audio must be finite"),
        (lambda part: part.update(text=np.zeros((4, 2, 3, 1))), "text must be one vector"),
        (lambda part: part.update(text=np.array(["a"] * 4)[:, None]), "text must be numbers"),
    ],
)
def test_what_mmsas_split_lacks_is_named(edit, message):
    part = mmsa()
    edit(part)
    data = pickle.dumps({"train": part})
    with pytest.raises(FormatError, match=message):
        load_bytes(load, data)
    assert load_bytes(validate, data)


@pytest.mark.parametrize("lacking", ["train", "test"])
def test_a_modality_that_one_of_mmsas_splits_lacks_is_named(lacking):
    held = {split: mmsa(lacking=("audio",) * (split == lacking)) for split in ("train", "test")}
    held["test"]["id"] = [f"other {name}" for name in held["test"]["id"]]
    problems = load_bytes(validate, pickle.dumps(held))
    assert [each.conversation for each in problems] == ["other a", "other b"]
    assert all("features must have the modalities" in each.message for each in problems)


def test_other_dicts_are_refused():
    for held, message in (
        ({"train": mmsa(), "holdout": mmsa()}, "the splits train, valid, test"),
        ({"train": []}, "the splits train, valid, test to dicts"),
        ({}, "splits must have conversations in 'train'"),
    ):
        with pytest.raises(FormatError, match=message):
            load_bytes(load_pickle, pickle.dumps(held))
    data = pickle.dumps({"train": mmsa()})
    with pytest.raises(FormatError, match="labels are scores here"):
        load_bytes(lambda path: load_pickle(path, labels="classes"), data)
    with pytest.raises(FormatError, match=r"splits must be left out .* but got \['a', 'b', 'c'\]"):
        load_bytes(lambda path: load_pickle(path, splits=["a", "b", "c"]), data)


def lack(values, mask, how):
    """What stands in the place of vectors that are missing."""
    absent = None if how == "None" else np.full_like(values[0], np.nan)
    found = [value if here else absent for value, here in zip(values, mask, strict=True)]
    return np.array(found) if how == "NaN in an array" else found


@given(
    st.sampled_from(["None", "NaN", "NaN in an array"]),
    st.lists(st.booleans(), min_size=9, max_size=9),
    st.sampled_from(["tuple", "MMSA"]),
)
def test_vectors_that_are_missing(how, mask, shape):
    """By None in any file; by NaN if asked, and else refused."""
    sample = make_sample()
    if shape == "tuple":
        fields, start = pickle_fields(sample), 0
        for each in sample.conversations:
            size = len(each.labels)
            part = mask[start : start + size]
            fields[3][each.id] = lack(list(each.features["text"]), part, how)
            start += size
        data = pickle.dumps(tuple(fields))
    else:
        mask = mask[:4]
        data = pickle.dumps({"train": mmsa() | {"text": lack(list(mmsa()["text"]), mask, how)}})
        mask = [mask[row] for row in (3, 0, 2, 1)]  # in the order of the clips

    def read():
        return load_bytes(lambda path: load(path, missing="nan"), data)

    if how == "None" and not any(mask):
        with pytest.raises(FormatError, match="text must have a vector, but all .* are None"):
            read()
        return
    corpus = read()
    whole = [each for them in corpus.splits.values() for each in them]
    column = list(corpus.in_channels).index("text")
    assert [row[column] for each in whole for row in rows(each)] == mask
    others = [row[:column] + row[column + 1 :] for each in whole for row in rows(each)]
    assert all(map(all, others))
    if how != "None" and not all(mask):
        with pytest.raises(FormatError, match="text must be finite"):
            load_bytes(load, data)


def test_a_vector_with_some_nan_is_always_refused():
    fields = pickle_fields(make_sample())
    fields[3]["train1"][1][0] = np.nan
    with pytest.raises(FormatError, match="'train1': text must be finite, but utterance 1 has NaN"):
        load_bytes(lambda path: load_pickle(path, missing="nan"), pickle.dumps(tuple(fields)))
