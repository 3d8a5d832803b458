import pickle

import numpy as np
import pytest
import torch

from graphfusion.datasets import MELD, FormatError
from tests.datasets.real import real
from tests.datasets.samples import assert_holds, make_sample, npz_arrays, npz_bytes, pickle_fields

SEVEN = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
SAMPLE = make_sample(lengths=((4, 5), (3,), (6,)), splits=("train", "dev", "test"), num_classes=7)


def test_an_archive(tmp_path):
    arrays = npz_arrays(SAMPLE) | {"classes": np.array(SEVEN)}
    (tmp_path / "meld.npz").write_bytes(npz_bytes(arrays))
    assert_holds(MELD(tmp_path), SAMPLE, SEVEN, ("audio", "visual", "text"))


def test_the_files_names_decide_which_class_is_which(tmp_path):
    arrays = npz_arrays(SAMPLE)
    arrays["label"] = 6 - arrays["label"]
    arrays["classes"] = np.array(SEVEN[::-1])
    (tmp_path / "meld.npz").write_bytes(npz_bytes(arrays))
    assert_holds(MELD(tmp_path), SAMPLE, SEVEN, ("audio", "visual", "text"))


def test_a_pickle(tmp_path):
    sample = make_sample(lengths=((4, 5), (6,)), num_classes=7)
    (tmp_path / "raw").mkdir()
    fields = (*pickle_fields(sample), {"a tenth": "element"})
    (tmp_path / "raw" / "MELD_features_raw1.pkl").write_bytes(pickle.dumps(fields))
    assert_holds(MELD(tmp_path), sample, SEVEN, ("audio", "visual", "text"))


def test_the_pickles_of_two_modalities_and_of_fourteen_elements_are_read(tmp_path):
    ids, speakers, labels, text, audio, _, sentences, *split = pickle_fields(
        make_sample(lengths=((4, 5), (6,)), num_classes=7)
    )
    path = tmp_path / "MELD_features_raw1.pkl"
    path.write_bytes(pickle.dumps((ids, speakers, labels, text, audio, sentences, *split, labels)))
    assert list(MELD(tmp_path).in_channels) == ["audio", "text"]
    more = (ids, speakers, labels, labels, *[text] * 4, audio, audio, sentences, *split, {})
    path.write_bytes(pickle.dumps(more))
    assert len(MELD(tmp_path).in_channels) == 6


@pytest.mark.parametrize(("place", "name"), [(5, "disappointed"), (6, "angel")])
def test_a_class_that_only_begins_alike_is_refused(tmp_path, place, name):
    names = [*SEVEN]
    names[place] = name
    arrays = npz_arrays(SAMPLE) | {"classes": np.array(names)}
    (tmp_path / "meld.npz").write_bytes(npz_bytes(arrays))
    with pytest.raises(FormatError, match=f"classes must be neutral, .*{name}"):
        MELD(tmp_path)


def test_other_classes_are_refused(tmp_path):
    (tmp_path / "meld.npz").write_bytes(npz_bytes(npz_arrays(SAMPLE)))
    with pytest.raises(FormatError, match="meld.npz: classes must be neutral, .*got class 0"):
        MELD(tmp_path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        MELD(tmp_path)
    assert all(name in str(error.value) for name in MELD.raw_file_names)
    assert "https://affective-meld.github.io/" in str(error.value)
    assert "GPL 3.0" in str(error.value)


@pytest.mark.data
def test_real_data():
    corpus = MELD(real("meld.npz").parent)
    assert corpus.classes == SEVEN
    assert {split: len(conversations) for split, conversations in corpus.splits.items()} == {
        "train": 1038,
        "dev": 114,
        "test": 280,
    }
    y = torch.cat([conversation.y for conversation in corpus.splits["test"]])
    assert y.bincount().tolist() == [1256, 281, 50, 208, 402, 68, 345]
