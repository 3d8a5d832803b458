import os
import pickle
import re
from pathlib import Path

import pytest
import torch

from graphfusion.datasets import FormatError, load, load_pickle, save, validate
from tests.datasets.made_corpora import small_corpus
from tests.datasets.samples import load_bytes, make_sample, npz_arrays, npz_bytes, pickle_fields

DATA = Path(os.environ.get("GRAPHFUSION_DATA", Path(__file__).parents[2] / "../shared/data"))


def test_the_content_decides():
    sample = make_sample()
    from_npz = load_bytes(load, npz_bytes(npz_arrays(sample)))
    assert from_npz.classes == ("class 0", "class 1")
    for protocol in range(6):
        corpus = load_bytes(load, pickle.dumps(tuple(pickle_fields(sample)), protocol))
        assert corpus.classes == ("0", "1")
        for split, conversations in corpus.splits.items():
            for conversation, same in zip(conversations, from_npz.splits[split], strict=True):
                assert torch.equal(conversation.features["text"], same.features["text"])


@pytest.mark.parametrize("data", [b"", b"P", b"not a corpus"])
def test_neither_format(data):
    with pytest.raises(
        FormatError, match="must be safetensors, .* Parquet or named .csv, but begins"
    ):
        load_bytes(load, data)


@pytest.mark.parametrize("data", [b"PK", b"PK\3\4", b"\x80", b"("])
def test_no_more_than_a_beginning(data):
    with pytest.raises(FormatError):
        load_bytes(load, data)


def test_a_file_that_stores_its_settings_takes_none(tmp_path):
    path = tmp_path / "corpus"
    save(small_corpus(), path)
    for use in (load, validate):
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))} must be loaded without opt"):
            use(path, labels="scores")


def test_splits_are_not_renamed():
    data = npz_bytes(npz_arrays(make_sample()))
    for use in (load, validate):
        with pytest.raises(ValueError, match=r"splits must be left out for an \.npz file"):
            load_bytes(lambda path, use=use: use(path, splits=["train", "test"]), data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "class"}, "labels must be 'classes' or 'scores' or None, but got 'class'"),
        ({"missing": 0}, "missing must be 'nan' or None, but got 0"),
        ({"splits": "train"}, "splits must be different names, but got 'train'"),
        ({"splits": ["train", "train"]}, r"splits must be different names, but got \['train', 'tr"),
    ],
)
def test_options_have_known_values(tmp_path, options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        load_pickle(tmp_path / "none", **options)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "conversations", "utterances", "in_channels", "num_classes"),
    [
        (
            "iemocap6",
            {"train": 120, "test": 31},
            {"train": 5810, "test": 1623},
            {"text": 384, "audio": 417, "prosody": 8},
            6,
        ),
        (
            "meld",
            {"train": 1038, "dev": 114, "test": 280},
            {"train": 9989, "dev": 1109, "test": 2610},
            {"text": 384, "audio": 8},
            7,
        ),
        (
            "mosi",
            {"train": 62, "test": 31},
            {"train": 1447, "test": 752},
            {"text": 100, "audio": 73, "visual": 100, "text_minilm": 384},
            2,
        ),
    ],
)
def test_real_data(name, conversations, utterances, in_channels, num_classes):
    path = DATA / f"{name}.npz"
    if not path.exists():
        pytest.skip("the real data are not here; GRAPHFUSION_DATA names their folder")
    corpus = load(path)
    assert {
        split: len(conversations) for split, conversations in corpus.splits.items()
    } == conversations
    assert {
        s: sum(conversation.num_nodes for conversation in t) for s, t in corpus.splits.items()
    } == utterances
    assert corpus.in_channels == in_channels
    assert corpus.num_classes == num_classes
