import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets import FormatError, load_npz
from tests.datasets.samples import (
    assert_holds,
    load_bytes,
    make_sample,
    npz_arrays,
    npz_bytes,
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
    assert [talk.id for talk in corpus.splits["train"]] == ["5", "7"]


def test_splits_need_not_follow_one_another():
    arrays = npz_arrays(make_sample(lengths=((1, 1, 1),), splits=("train",)))
    arrays["split"] = np.array(["train", "test", "train"])
    corpus = load_bytes(load_npz, npz_bytes(arrays))
    ids = {split: [talk.id for talk in talks] for split, talks in corpus.splits.items()}
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
            r"audio must have shape \[U, d\], .* but got \[9, 0\]",
        ),
        (violate("audio", put((4, 1), np.nan)), "'train1': audio must be finite, but utterance 1 "),
        (violate("text", put((0, 0), -np.inf)), "'train0': text must be finite, but utterance 0 "),
        (
            violate("text", lambda x: x + np.float64(1e300)),
            "'train0': text must be finite, but utterance 0 ",
        ),
        (violate("label", lambda x: x + 0.5), "label must be one integer .* got float64"),
        (violate("label", lambda x: x[:, None]), r"label must be one .* shape \[9, 1\]"),
        (
            violate("label", put(5, 2)),
            r"'test2': labels must be in \[0, 2\), but utterance 0 has 2",
        ),
        (violate("label", put(3, -1)), r"'train1': labels must .* utterance 0 has -1"),
        (violate("label", lambda x: x.astype("u8") - 1), r"labels must be in \[0, 2\)"),
        (
            violate("speaker", lambda x: np.zeros(len(x))),
            "speaker must be one name each, but got fl",
        ),
        (violate("dialogue", lambda x: x[:, None]), r"dialogue must be one name each, .*\[9, 1\]"),
        (
            violate("dialogue", put(4, "train0")),
            "'train0': utterances must be contiguous, .* row 4",
        ),
        (
            violate("split", put(1, "dev")),
            r"'train0': split must be one, but got \['dev', 'train'\]",
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
