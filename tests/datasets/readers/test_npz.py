import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets import FormatError, load_npz
from tests.datasets.samples import (
    assert_holds,
    load_bytes,
    make_sample,
    npz_arrays,
    npz_bytes,
    rows,
    samples,
)


@given(
    samples(splits=("train", "dev", "test"), modalities=("text", "any name", "audio")),
    st.sampled_from([np.savez, np.savez_compressed]),
    st.sampled_from(["<f4", ">f4", "<f8"]),
    st.sampled_from(["C", "F"]),
)
def test_round_trip(sample, save, dtype, order):
    arrays = npz_arrays(sample)
    for name in ("text", "any name", "audio"):
        arrays[name] = arrays[name].astype(dtype, order=order)
    corpus = load_bytes(load_npz, npz_bytes(arrays, save))
    assert_holds(corpus, sample, arrays["classes"].tolist(), ("text", "any name", "audio"))


def test_modalities_are_the_float_arrays_except_the_score():
    sample = make_sample()
    arrays = npz_arrays(sample)
    rows = len(arrays["label"])
    arrays |= {"score": np.zeros((rows, 1)), "utt": np.array(["u"] * rows), "turn": np.arange(rows)}
    corpus = load_bytes(load_npz, npz_bytes(arrays))
    assert_holds(corpus, sample, arrays["classes"].tolist(), ("audio", "visual", "text"))


def test_names_may_be_bytes_or_integers():
    arrays = npz_arrays(make_sample())
    arrays["dialogue"] = np.repeat([5, 7, 6], [3, 2, 4])
    arrays["classes"] = np.array([b"calm", "gerührt".encode()])
    corpus = load_bytes(load_npz, npz_bytes(arrays))
    assert corpus.classes == ("calm", "gerührt")
    assert [conversation.id for conversation in corpus.splits["train"]] == ["5", "7"]


def test_splits_need_not_follow_one_another():
    arrays = npz_arrays(make_sample(lengths=((1, 1, 1),), splits=("train",)))
    arrays["split"] = np.array(["train", "test", "train"])
    corpus = load_bytes(load_npz, npz_bytes(arrays))
    ids = {
        split: [conversation.id for conversation in conversations]
        for split, conversations in corpus.splits.items()
    }
    assert ids == {"train": ["train0", "train2"], "test": ["train1"]}


def violate(name, change):
    def edit(arrays):
        arrays[name] = change(arrays[name])

    return edit


def put(place, value):
    def change(array):
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda a: a.pop("speaker"), "must have the arrays .*, but speaker is missing"),
        (
            violate("speaker", lambda x: x[1:]),
            r"speaker must have one row .* \(9\), .* shape \[8\]",
        ),
        (violate("audio", lambda x: x[1:]), r"audio must have one row .* \(9\), .* shape \[8, 3\]"),
        (violate("audio", lambda x: x[0, 0]), r"audio must have one row .* shape \[\]"),
        (violate("audio", lambda x: x[:, 0]), r"audio must have shape \[U, d\], .* but got \[9\]"),
        (violate("audio", lambda x: x.astype("i4")), "audio must be floats .* but got int32"),
        (
            violate("audio", lambda x: x[:, :0]),
            r"audio must be one vector per utterance, but has \[0\]",
        ),
        (violate("audio", put((4, 1), np.nan)), "'train1': audio must be finite, but utterance 1 "),
        (violate("text", put((0, 0), -np.inf)), "'train0': text must be finite, but utterance 0 "),
        (
            violate("text", lambda x: x + np.float64(1e300)),
            "'train0': text must be finite, but utterance 0 ",
        ),
        (
            violate("label", lambda x: x + 0.5),
            "labels must be whole class numbers, .* has 0.5|1.5",
        ),
        (
            violate("label", lambda x: x[:, None].repeat(3, 1)),
            r"label must be one .*, or a column of 1 and 0 for each of the classes, .* \[9, 3\]",
        ),
        (
            violate("label", lambda x: np.stack([x, 2 * x + 2], 1)),
            "'train0': multilabel values must be 1 or 0, .* utterance 0 has . in column 1",
        ),
        (
            violate("label", lambda x: x[:, None].repeat(2, 1) - 0.5),
            "'train0': multilabel values must be 1 or 0, .* utterance 0 has -?0.5 in col",
        ),
        (
            violate("label", lambda x: x[:, None].repeat(2, 1).astype("S")),
            "label must be bools, or 1 and 0, for each class, but got",
        ),
        (
            violate("label", put(5, 2)),
            r"'test2': labels must be in \[0, 2\), or -100 .* utterance 0 has 2",
        ),
        (violate("label", put(3, -2)), r"'train1': labels must .* utterance 0 has -2"),
        (violate("label", lambda x: x.astype("u8") - 1), r"labels must be in \[0, 2\)"),
        (
            violate("speaker", lambda x: np.zeros(len(x))),
            "speaker must be a vector of strings or integers, but got fl",
        ),
        (
            violate("dialogue", lambda x: x[:, None]),
            r"dialogue must be a vector of strings or integers, .*\[9, 1\]",
        ),
        (
            violate("dialogue", put(4, "train0")),
            "'train0': utterances must be contiguous, .* row 4",
        ),
        (
            violate("split", put(1, "dev")),
            r"'train0': split must be the same .* \['dev', 'train'\]",
        ),
        (violate("split", put(slice(None), "test")), r"'train', but got \['test'\]"),
        (
            violate("classes", put(1, "class 0")),
            "classes must be unique, but got class 0, class 0",
        ),
        (violate("classes", lambda x: np.char.add(x.astype("S"), b"\xff")), "utf-8"),
        (
            lambda a: [a.pop(name) for name in ("audio", "visual", "text")],
            "a modality, but has none",
        ),
    ],
)
def test_a_violated_schema_is_named(tmp_path, edit, message):
    arrays = npz_arrays(make_sample())
    edit(arrays)
    path = tmp_path / "file.npz"
    path.write_bytes(npz_bytes(arrays))
    with pytest.raises(FormatError, match=f"^{re.escape(str(path))}: .*{message}"):
        load_npz(path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_npz(tmp_path / "none.npz")


def test_what_is_missing_in_any_way():
    """Labels of -1 and -100, masks by name or all of them, rows of NaN if asked."""
    arrays = npz_arrays(make_sample())
    arrays["label"][[1, 4]] = -1, -100
    arrays["has_audio"] = np.arange(9) != 2
    arrays["audio"][2] = np.nan
    arrays["text"][5] = np.nan
    corpus = load_bytes(lambda path: load_npz(path, missing="nan"), npz_bytes(arrays))
    whole = [each for split in corpus.splits.values() for each in split]
    y = [label for each in whole for label in each.y.tolist()]
    assert [place for place, label in enumerate(y) if label == -100] == [1, 4]
    present = [row for each in whole for row in rows(each)]
    assert [place for place, row in enumerate(present) if not all(row)] == [2, 5]
    with pytest.raises(FormatError, match="text must be finite"):
        load_bytes(load_npz, npz_bytes(arrays))
    columns = np.ones((9, 3), bool)
    columns[5, 2] = False
    again = load_bytes(
        load_npz,
        npz_bytes(
            arrays | {"present": columns * arrays["has_audio"][:, None] ** np.array([1, 0, 0])}
        ),
    )
    assert [row for each in whole for row in rows(each)] == [
        row for split in again.splits.values() for each in split for row in rows(each)
    ]


@given(
    st.lists(st.lists(st.sampled_from([0, 1, -1]), min_size=3, max_size=3), min_size=9, max_size=9),
    st.sampled_from(["i1", "i8", "f2", "f8", "?", "-100"]),
    st.integers(1, 3),
)
def test_several_classes_at_once(values, dtype, size):
    values = np.array(values)[:, :size]
    if size == 1:  # else the labels number the class
        dtype = "?"
    if dtype == "?":
        label = values == 1
    elif dtype == "-100":
        label = np.where(values < 0, -100, values)
    else:
        label = np.where(values < 0, np.nan if dtype.startswith("f") else -1, values).astype(dtype)
    arrays = npz_arrays(make_sample()) | {"label": label, "classes": np.array(list("abc")[:size])}
    corpus = load_bytes(load_npz, npz_bytes(arrays))
    assert (corpus.task, corpus.classes) == ("multilabel", tuple("abc"[:size]))
    y = torch.cat([each.y for split in corpus.splits.values() for each in split])
    assert y.dtype == torch.float32
    wanted = values == 1 if dtype == "?" else values
    assert y.nan_to_num(-1).tolist() == wanted.tolist()


def test_numbers_are_no_labels_where_classes_are_other_numbers():
    arrays = npz_arrays(make_sample())
    arrays["classes"] = np.array(["1", "2"])
    with pytest.raises(FormatError, match="classes are numbers, 1, 2, but labels are positions"):
        load_bytes(load_npz, npz_bytes(arrays))
    arrays["classes"] = np.array(["0", "1"])
    assert load_bytes(load_npz, npz_bytes(arrays)).classes == ("0", "1")


def test_several_classes_are_no_scores():
    arrays = npz_arrays(make_sample()) | {"label": np.zeros((9, 2))}
    message = "label must be one number per utterance, or a column"
    with pytest.raises(FormatError, match=message):
        load_bytes(lambda path: load_npz(path, labels="scores"), npz_bytes(arrays))
    del arrays["classes"]
    with pytest.raises(FormatError, match=message):
        load_bytes(load_npz, npz_bytes(arrays))


@pytest.mark.parametrize("asked", [None, "classes", "scores"])
@given(st.lists(st.floats(-60, 60) | st.integers(0, 1).map(float), min_size=9, max_size=9))
def test_float_labels_need_a_kind(asked, values):
    """Never seven classes of sentiment; never class numbers that are guessed."""
    arrays = npz_arrays(make_sample()) | {"label": np.array(values)}
    whole = all(value >= 0 and value == int(value) for value in values)

    def read():
        return load_bytes(lambda path: load_npz(path, labels=asked), npz_bytes(arrays))

    if asked == "classes" and not (whole and max(values) < 2):
        with pytest.raises(FormatError, match="labels must be"):
            read()
        return
    if asked != "classes":
        del arrays["classes"]
    if asked is None and whole:
        with pytest.raises(FormatError, match="class numbers or scores"):
            read()
        return
    corpus = read()
    y = torch.cat([each.y for split in corpus.splits.values() for each in split])
    assert y.is_floating_point() == (asked != "classes") == (corpus.classes == ())
    assert y.double().tolist() == np.array(values, "f4").astype("f8").tolist()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda a: a.update(has_smell=np.ones(9, bool)),
            "has_smell must be floats .* but got bool",
        ),
        (lambda a: a.update(audio_mask=np.ones(9, bool)), "named has_MODALITY"),
        (lambda a: a.update(has_audio=np.arange(9)), "has_audio must be bools"),
        (
            lambda a: a.update(has_audio=np.ones((9, 2), bool)),
            r"has_audio must be one bool per utterance, .* \[9, 2\]",
        ),
        (
            lambda a: a.update(present=np.ones((9, 2), bool)),
            r"present must have a column .*\['audio', 'visual', 'text'\], .* \[9, 2\]",
        ),
        (
            lambda a: a.update(present=np.ones((9, 3), bool), has_audio=np.arange(9) > 0),
            "present and has_audio must be equal, but differ",
        ),
        (lambda a: a.update(turn=np.zeros(9)), "turn must be one integer per utterance, but got f"),
        (lambda a: a.update(turn=np.zeros(9, int)), "'train0': turn must increase .* row 1"),
        (lambda a: a.update(frames=np.ones((9, 5, 2), "f4")), r"frames, \[5, 2\]: average"),
        (
            lambda a: a.update(
                dialogue=np.array([0, 0, 0, 1, 1, 0, 0, 0, 0]),
                split=np.array(["train"] * 5 + ["dev"] * 4),
            ),
            "prefix them with its name",
        ),
    ],
)
def test_nothing_is_dropped_without_a_word(edit, message):
    arrays = npz_arrays(make_sample())
    edit(arrays)
    with pytest.raises(FormatError, match=message):
        load_bytes(load_npz, npz_bytes(arrays))


def test_frames_are_averaged_by_an_option():
    arrays = npz_arrays(make_sample())
    frames = np.zeros((9, 4, 3), np.float32)
    frames[:, :2] = arrays["audio"][:, None]
    arrays["audio"] = frames
    corpus = load_bytes(lambda path: load_npz(path, frames="mean"), npz_bytes(arrays))
    first = corpus.splits["train"][0].features["audio"]
    assert torch.equal(first, torch.from_numpy(frames[:3, 0]))
