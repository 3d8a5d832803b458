import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.loader import DataLoader

from graphfusion.datasets import MOSEI, MOSI, FormatError, load, save
from tests.datasets.real import real
from tests.datasets.samples import make_sample, npz_arrays, npz_bytes, pickle_fields

SAMPLE = make_sample(lengths=((4, 2, 3), (3,)))
# The second conversation has nothing but neutral utterances.
SCORES = [-3.0, 0.0, 0.4, -0.2, 0.0, -0.0, 2.0, 2.2, -2.0, 3.0, 0.0, -1.0]
SEVEN = [[0, 3, 3, 3], [3, 3], [5, 5, 1], [6, 3, 2]]
TWO = [[0, 1, 0], [1, 1, 0], [1, 0]]


def archive(folder, name, scores=SCORES):
    arrays = npz_arrays(SAMPLE) | {"score": np.array(scores, np.float32)}
    (folder / f"{name}.npz").write_bytes(npz_bytes(arrays))


def tuples(folder, name, scores=SCORES):
    fields = pickle_fields(SAMPLE)
    rest = iter(scores)
    fields[2] = {
        conversation.id: np.array([next(rest) for _ in conversation.labels])
        for conversation in SAMPLE.conversations
    }
    (folder / f"{name}.pkl").write_bytes(pickle.dumps(tuple(fields)))


def labels(corpus):
    return [
        conversation.y.tolist()
        for conversations in corpus.splits.values()
        for conversation in conversations
    ]


@pytest.mark.parametrize(("dataset", "name"), [(MOSI, "mosi"), (MOSEI, "mosei")])
@pytest.mark.parametrize("put", [archive, tuples])
def test_both_cuts(tmp_path, dataset, name, put):
    put(tmp_path, name)
    two, seven = dataset(tmp_path), dataset(tmp_path, num_classes=7)
    assert two.classes == ("negative", "positive")
    assert labels(two) == TWO
    assert seven.num_classes == 7
    assert labels(seven) == SEVEN
    assert repr(two).startswith(f"{dataset.__name__}(train=2, test=1, ")
    conversation, same = two.splits["train"][0], seven.splits["train"][0]
    torch.testing.assert_close(conversation.score, torch.tensor([-3, 0.4, -0.2]))
    torch.testing.assert_close(same.score, torch.tensor([-3, 0, 0.4, -0.2]))
    assert torch.equal(conversation.features["audio"], same.features["audio"][[0, 2, 3]])


def test_scores_survive_selection_and_batching(tmp_path):
    archive(tmp_path, "mosi")
    corpus = MOSI(tmp_path).select(["text", "audio+visual"])
    (batch,) = DataLoader(corpus.splits["train"], batch_size=2)
    torch.testing.assert_close(batch.score, torch.tensor([-3, 0.4, -0.2, 2, 2.2, -2]))


def test_the_librarys_own_format(tmp_path):
    archive(tmp_path, "mosi")
    save(load(tmp_path / "mosi.npz"), tmp_path / "mosi.safetensors")
    (tmp_path / "mosi.npz").unlink()
    assert labels(MOSI(tmp_path)) == TWO
    assert labels(MOSI(tmp_path, 7)) == SEVEN


def test_a_column_of_scores_is_as_good(tmp_path):
    archive(tmp_path, "mosi", [[score] for score in SCORES])
    assert labels(MOSI(tmp_path, 7)) == SEVEN


@pytest.mark.parametrize("put", [archive, tuples])
@given(place=st.integers(0, 11), value=st.sampled_from([60.0, -5.0, 3.001, np.inf, -np.inf]))
def test_scores_out_of_range_are_refused(tmp_path_factory, put, place, value):
    folder = tmp_path_factory.mktemp("data")
    put(folder, "mosi", [*SCORES[:place], value, *SCORES[place + 1 :]])
    with pytest.raises(FormatError, match=r"must be (in \[-3, 3\]|finite.*), but utterance \d has"):
        MOSI(folder)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (np.zeros((12, 2)), r"score must be one number per utterance, .* shape \[12, 2\]"),
        (np.zeros(11), r"score must have one row per utterance \(12\), but has shape \[11\]"),
        (np.array(["good"] * 12), "score must be one number per utterance, but got str"),
    ],
)
def test_other_scores_are_refused(tmp_path, score, message):
    arrays = npz_arrays(SAMPLE) | {"score": score}
    (tmp_path / "mosi.npz").write_bytes(npz_bytes(arrays))
    with pytest.raises(FormatError, match=message):
        MOSI(tmp_path)


def test_classes_without_scores_are_refused(tmp_path):
    (tmp_path / "mosi.npz").write_bytes(npz_bytes(npz_arrays(SAMPLE)))
    with pytest.raises(FormatError, match="mosi.npz: scores must be in the file"):
        MOSI(tmp_path)
    save(load(tmp_path / "mosi.npz"), tmp_path / "mosi.safetensors")
    (tmp_path / "mosi.npz").unlink()
    with pytest.raises(FormatError, match="mosi.safetensors: score must be in the file, but is mi"):
        MOSI(tmp_path)


@pytest.mark.parametrize(("dataset", "name"), [(MOSI, "CMU-MOSI"), (MOSEI, "CMU-MOSEI")])
def test_a_missing_file(tmp_path, dataset, name):
    with pytest.raises(FileNotFoundError) as error:
        dataset(tmp_path)
    assert all(each in str(error.value) for each in dataset.raw_file_names)
    assert f"{name} is distributed by the MultiComp Lab" in str(error.value)
    assert "https://github.com/A2Zadeh/CMU-MultimodalSDK" in str(error.value)


@pytest.mark.parametrize("num_classes", [3, None, "2"])
def test_other_numbers_of_classes(tmp_path, num_classes):
    with pytest.raises(ValueError, match=f"num_classes must be 2 or 7, but got {num_classes!r}"):
        MOSI(tmp_path, num_classes)


@pytest.mark.data
def test_real_data():
    folder = real("mosi.npz").parent
    two, seven = MOSI(folder), MOSI(folder, num_classes=7)

    def counts(corpus):
        return torch.cat(
            [t.y for conversations in corpus.splits.values() for t in conversations]
        ).bincount()

    assert counts(two).tolist() == [1023, 1080]
    assert len(counts(seven)) == 7
    assert counts(seven).sum() == 1023 + 96 + 1080
    for corpus in (two, seven):
        assert list(corpus.in_channels) == ["text", "audio", "visual", "text_minilm"]
        for conversation in corpus.splits["train"]:
            assert (conversation.speaker == 0).all()
            expected = conversation.score > 0 if corpus is two else conversation.score.round() + 3
            assert (conversation.y == expected).all()
