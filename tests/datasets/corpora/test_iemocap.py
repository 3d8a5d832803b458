import pickle

import numpy as np
import pytest
import torch

from graphfusion.datasets import IEMOCAP, FormatError, load
from tests.datasets.real import real
from tests.datasets.samples import assert_holds, make_sample, npz_arrays, npz_bytes, pickle_fields

SIX = ("happy", "sad", "neutral", "angry", "excited", "frustrated")
SAMPLE = make_sample(lengths=((4, 5, 3), (6, 4)), num_classes=6)


def archive(folder, sample=SAMPLE, name="iemocap6.npz", **arrays):
    arrays = npz_arrays(sample) | {"classes": np.array([each[:3] for each in SIX])} | arrays
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(npz_bytes(arrays))


def tuples(folder, sample=SAMPLE, name="IEMOCAP_features.pkl"):
    (folder / name).write_bytes(pickle.dumps(tuple(pickle_fields(sample))))


@pytest.mark.parametrize("put", [archive, tuples])
def test_six_classes(tmp_path, put):
    put(tmp_path)
    corpus = IEMOCAP(str(tmp_path))
    assert_holds(corpus, SAMPLE, SIX, ("audio", "visual", "text"))
    assert repr(corpus).startswith("IEMOCAP(train=3, test=2, in_channels=")


@pytest.mark.parametrize("put", [archive, tuples])
def test_four_classes(tmp_path, put):
    put(tmp_path)
    six, four = IEMOCAP(tmp_path), IEMOCAP(tmp_path, num_classes=4)
    assert four.classes == ("happy", "sad", "neutral", "angry")
    for split, conversations in six.splits.items():
        names = [
            [name for name in (SIX[label] for label in conversation.y) if name != "frustrated"]
            for conversation in conversations
        ]
        expected = [[name.replace("excited", "happy") for name in each] for each in names if each]
        assert [
            [four.classes[label] for label in conversation.y] for conversation in four.splits[split]
        ] == expected
        for conversation in four.splits[split]:
            (old,) = [each for each in conversations if each.id == conversation.id]
            assert torch.equal(conversation.features["text"], old.features["text"][old.y != 5])


def test_a_conversation_of_the_frustrated_is_left_out(tmp_path):
    sample = make_sample(lengths=((7, 2), (2,)), num_classes=6)
    sample.conversations[1].labels = [5, 5]
    archive(tmp_path, sample)
    assert len(IEMOCAP(tmp_path).splits["train"]) == 2
    assert [conversation.id for conversation in IEMOCAP(tmp_path, 4).splits["train"]] == [
        sample.conversations[0].id
    ]


def test_the_files_names_decide_which_class_is_which(tmp_path):
    order = [3, 0, 5, 1, 4, 2]
    labels = npz_arrays(SAMPLE)["label"]
    names = np.array([SIX[place].capitalize() for place in order])
    archive(tmp_path, label=np.array([order.index(label) for label in labels]), classes=names)
    assert_holds(IEMOCAP(tmp_path), SAMPLE, SIX, ("audio", "visual", "text"))


def test_numbers_are_in_the_fields_order(tmp_path):
    archive(tmp_path, classes=np.array(list("012345")))
    assert_holds(IEMOCAP(tmp_path), SAMPLE, SIX, ("audio", "visual", "text"))


def test_the_first_file_is_read_wherever_it_is(tmp_path):
    (tmp_path / "IEMOCAP_features.pkl").write_bytes(b"not read")
    archive(tmp_path / "raw")
    assert_holds(IEMOCAP(tmp_path), SAMPLE, SIX, ("audio", "visual", "text"))
    archive(tmp_path, make_sample(lengths=((9,), (1,)), num_classes=6))
    assert len(IEMOCAP(tmp_path).splits["train"]) == 1


def test_a_missing_file(tmp_path):
    (tmp_path / "iemocap6.npz").mkdir()
    with pytest.raises(FileNotFoundError) as error:
        IEMOCAP(tmp_path)
    message = str(error.value)
    assert str(tmp_path) in message
    assert all(name in message for name in IEMOCAP.raw_file_names)
    assert "https://sail.usc.edu/iemocap/" in message
    assert "sign its release form" in message
    assert "Nothing is downloaded" in message


@pytest.mark.parametrize(
    ("classes", "named"),
    [
        ([*SIX[:5], "surprised"], "excited, surprised"),
        ([*SIX, "other"], "frustrated, other"),
        ([*SIX[:5], "hapless"], "excited, hapless"),
        (list("uvwxyz"), "u, v, w, x, y, z"),
        (["class", *SIX[1:]], "class, sad"),
    ],
)
def test_other_classes_are_refused(tmp_path, classes, named):
    archive(tmp_path, classes=np.array(classes))
    with pytest.raises(FormatError, match=f"iemocap6.npz: classes must be happy, .*{named}"):
        IEMOCAP(tmp_path)


def test_a_pickle_of_four_classes_is_refused(tmp_path):
    # It may number them in the same order, but its definition of happy is unknown.
    tuples(tmp_path, make_sample(lengths=((4, 5), (6,)), num_classes=4))
    with pytest.raises(FormatError, match="IEMOCAP_features.pkl: classes must be .* 0, 1, 2, 3"):
        IEMOCAP(tmp_path, num_classes=4)


@pytest.mark.parametrize("num_classes", [5, 2, None, "6"])
def test_other_numbers_of_classes(tmp_path, num_classes):
    with pytest.raises(ValueError, match=f"num_classes must be 6 or 4, but got {num_classes!r}"):
        IEMOCAP(tmp_path, num_classes)


@pytest.mark.data
def test_real_data():
    path = real("iemocap6.npz")
    six, four = IEMOCAP(path.parent), IEMOCAP(path.parent, 4)
    assert six.classes == SIX

    def counts(corpus):
        return torch.cat(
            [t.y for conversations in corpus.splits.values() for t in conversations]
        ).bincount()

    assert counts(six).tolist() == [648, 1084, 1708, 1103, 1041, 1849]
    assert counts(four).tolist() == [648 + 1041, 1084, 1708, 1103]
    for split, conversations in load(path).splits.items():
        for conversation, same in zip(conversations, six.splits[split], strict=True):
            assert torch.equal(conversation.y, same.y)
            assert torch.equal(conversation.speaker, same.speaker)
            assert torch.equal(conversation.features["audio"], same.features["audio"])
    for conversations in four.splits.values():
        for conversation in conversations:
            assert conversation.speaker[0] == 0
            assert conversation.speaker.max() < 2


def test_the_frustrated_may_stay_as_context(tmp_path):
    archive(tmp_path)
    six, four = IEMOCAP(tmp_path), IEMOCAP(tmp_path, num_classes=4, keep_context=True)
    merged = {0: 0, 1: 1, 2: 2, 3: 3, 4: 0, 5: -100}
    for split, conversations in six.splits.items():
        for one, other in zip(conversations, four.splits[split], strict=True):
            assert other.y.tolist() == [merged[label] for label in one.y.tolist()]
