"""The library's own format: what goes in comes out, and what cannot be right is refused."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import Conversation
from graphfusion.datasets import (
    Corpus,
    FormatError,
    load,
    load_npz,
    load_pickle,
    load_safetensors,
    save,
    validate,
)
from graphfusion.datasets.storage import writer
from tests.datasets.made_corpora import (
    assert_same,
    corpora,
    put_together,
    small_corpus,
    small_file,
    take_apart,
)
from tests.datasets.real import real
from tests.datasets.samples import (
    MANY,
    damaged,
    load_bytes,
    loads_or_refuses,
    npz_arrays,
    npz_bytes,
    peak_memory,
    pickle_fields,
    read_all,
    samples,
)

SMALL = 2**20  # more than any honest file here takes


def saved(corpus):
    """The file, as bytes."""
    return load_bytes(lambda path: [save(corpus, path), path.read_bytes()][1], b"")


@given(corpora())
def test_what_is_saved_comes_back_to_the_bit(corpus):
    data = saved(corpus)
    for reader in (load, load_safetensors):
        again = load_bytes(reader, data)
        assert_same(again, corpus)
    assert saved(again) == data


@given(samples(), st.sampled_from(["npz", "pickle"]))
def test_the_other_formats_convert(sample, form):
    if form == "npz":
        corpus = load_bytes(load_npz, npz_bytes(npz_arrays(sample)))
    else:
        corpus = load_bytes(load_pickle, pickle.dumps(tuple(pickle_fields(sample))))
    assert_same(load_bytes(load, saved(corpus)), corpus)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", ["iemocap6.npz", "meld.npz", "mosi.npz"])
def test_real_data_convert(tmp_path, name):
    corpus = load(real(name))
    save(corpus, tmp_path / "corpus")
    # MELD has two utterances whose audio is all zeros, which is doubtful and no error.
    expected = ["audio must be marked absent where extraction failed"] if "meld" in name else []
    found = [problem.message for problem in validate(tmp_path / "corpus")]
    assert all(map(str.startswith, found, expected))
    assert len(found) == len(expected)
    again = load(tmp_path / "corpus")
    assert again.classes == corpus.classes
    for split, conversations in corpus.splits.items():
        for one, other in zip(again.splits[split], conversations, strict=True):
            assert set(one.keys()) == set(other.keys())
            assert one.id == other.id
            for field in {"speaker", "y", "score"} & set(one.keys()):
                assert torch.equal(one[field], other[field])
            assert one.present.keys() == other.present.keys()
            assert all(torch.equal(one.present[m], other.present[m]) for m in one.present)
            assert list(one.features) == list(other.features)
            for modality, values in one.features.items():
                assert torch.equal(values, other.features[modality])


def test_the_smallest_floats_come_back():
    values = torch.arange(6).view(2, 3).to(torch.float8_e5m2)
    zeros = torch.zeros(2, dtype=torch.int64)
    corpus = Corpus(
        ("a",), {"train": [Conversation({"text": values}, zeros, zeros, id="conversation")]}
    )
    assert_same(load_bytes(load, saved(corpus)), corpus)


def test_a_conversation_holds_no_more_than_its_own():
    for conversation in load_bytes(load, saved(small_corpus())).splits["train"]:
        for value in (
            conversation.speaker,
            conversation.y,
            *conversation.present.values(),
            *conversation.features.values(),
        ):
            assert value.untyped_storage().nbytes() == value.nbytes


def test_features_that_learn_are_saved_as_they_are():
    corpus = small_corpus()
    conversation = corpus.splits["train"][0]
    conversation.features["text"] = conversation.features["text"].requires_grad_()
    assert saved(corpus) == saved(small_corpus())
    assert conversation.features["text"].requires_grad


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda conversation: conversation.features.update(
                text=conversation.features["text"].double()
            ),
            r"features.text must have one dtype .* \['torch.float32', 'torch.float64'\]",
        ),
        (
            lambda conversation: setattr(conversation, "score", torch.zeros(3)),
            "score, but only one of 'one' and 'two' has one",
        ),
        (
            lambda conversation: setattr(conversation, "y", torch.tensor([], dtype=torch.int64)),
            r"'one': features.text must have shape \[0, 3\], but got \[3, 3\]",
        ),
        (
            lambda conversation: setattr(conversation, "score", torch.zeros(3).cfloat()),
            "score must be of a dtype that safetensors has, but got torch.complex64",
        ),
        (
            lambda conversation: setattr(conversation, "speaker", torch.tensor([0, 1])),
            r"'one': speaker must have shape \[3\], but got \[2\]",
        ),
        (
            lambda conversation: setattr(conversation, "features", {"text": torch.zeros(3, 3)}),
            "'two': features must have the modalities and sizes {'text': 3} of the corpus",
        ),
        (
            lambda conversation: conversation.features["audio"][1].fill_(torch.nan),
            "'one': audio must be finite, but utterance 1 has NaN",
        ),
        (
            lambda conversation: conversation.y.fill_(7),
            r"'one': labels must be in \[0, 2\), .* but utterance 0 has 7",
        ),
    ],
)
def test_what_could_not_be_read_again_is_not_saved(tmp_path, spoil, message):
    path = tmp_path / "corpus"
    path.write_text("what was there")
    corpus = small_corpus()
    spoil(corpus.splits["train"][0])
    with pytest.raises(ValueError, match=message):
        save(corpus, path)
    assert path.read_text() == "what was there"


def test_a_corpus_larger_than_the_buffer_is_written_in_pieces(monkeypatch):
    expected = saved(small_corpus())
    monkeypatch.setattr(writer, "_BUFFER", 10)
    assert saved(small_corpus()) == expected


def test_big_endian_processors_are_refused(tmp_path, monkeypatch):
    save(small_corpus(), tmp_path / "corpus")
    monkeypatch.setattr(sys, "byteorder", "big")
    with pytest.raises(FormatError, match="can be read on little-endian processors only"):
        load(tmp_path / "corpus")


@pytest.mark.parametrize("function", ["write", "fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, function):
    def fail(*_):
        raise OSError("the disk is full")

    path = tmp_path / "corpus"
    save(small_corpus(), path)
    old = path.read_bytes()
    if function == "write":
        # A file that takes the first bytes only.
        monkeypatch.setattr(Path, "open", lambda self, mode: Reluctant(self, mode))
    else:
        monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="the disk is full"):
        save(Corpus(("other",), {"train": [small_talk()]}), path)
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
    save(Corpus(("other",), {"train": [small_talk()]}), path)
    assert load(path).classes == ("other",)
    assert list(tmp_path.iterdir()) == [path]


class Reluctant:
    def __init__(self, path, mode):
        self.file = open(path, mode)  # noqa: PTH123, SIM115

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def seek(self, place):
        self.file.seek(place)

    def write(self, data):
        self.file.write(data[:10])
        raise OSError("the disk is full")


def small_talk():
    zeros = torch.zeros(1, dtype=torch.int64)
    return Conversation({"text": torch.zeros(1, 1)}, zeros, zeros, id="conversation")


def test_there_is_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder: '.*none'$"):
        save(small_corpus(), tmp_path / "none" / "corpus")


def test_only_a_corpus_is_saved(tmp_path):
    with pytest.raises(TypeError, match="^corpus must be a Corpus, but got list"):
        save([], tmp_path / "corpus")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_without_safetensors(tmp_path):
    save(small_corpus(), tmp_path / "corpus")
    code = f"""
import sys
sys.modules["safetensors"] = None  # as if it were not installed
from graphfusion import MMDFN
from graphfusion.datasets import load, save, synthetic, validate
path = {str(tmp_path / "corpus")!r}
for use in (load, validate, lambda path: save(synthetic(1, 1), path)):
    try:
        use(path)
    except ImportError as error:
        assert "graphfusion's extra 'data' brings it" in str(error)
    else:
        raise AssertionError(use)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def change(key, value):
    def edit(header, tensors):
        (tensors if key in tensors else header)[key] = value

    return edit


def drop(key):
    def edit(header, tensors):
        del (tensors if key in tensors else header)[key]

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            change("format", "graphfusion.mmdfn"),
            "format must be 'graphfusion.corpus', but got 'g",
        ),
        (drop("format"), "format must be 'graphfusion.corpus', but got None"),
        (change("version", 2), "version must be 1, but got 2: another release of graphfusion"),
        (drop("version"), "version must be 1, but got None"),
        (change("classes", ["calm", 1]), r"classes must be a list .* but got \['calm', 1\]"),
        (drop("classes"), "classes must be a list of strings, but got None"),
        (change("classes", ["calm", "calm"]), "classes must be unique, but got calm, calm"),
        (change("modalities", []), r"modalities must be .* at least one, but got \[\]"),
        (change("modalities", ["text", "text"]), r"modalities must be .* different names"),
        (change("modalities", ["text", ""]), r"modalities must be .* different names"),
        (change("modalities", "text"), r"modalities must be a list .* but got 'text'"),
        (change("modalities", ["text"]), "features.audio must not be in the file"),
        (
            change("modalities", ["text", "audio", "visual"]),
            "features.visual must be in the file, but is missing",
        ),
        (change("splits", ["train"]), "splits must be an object of lists of strings, but got"),
        (change("splits", {"train": "one"}), "splits must be an object .* but got {'train': 'one'"),
        (
            change("splits", {"train": ["one", "two"]}),
            r"ptr must have shape \[3\], but got \[4\]",
        ),
        (
            change("splits", {"dev": ["one", "two", "three"]}),
            r"splits must have conversations in 'train', but got \['dev'\]",
        ),
        (
            change("splits", {"train": ["one", "two"], "test": ["one"]}),
            "'one': must be in one split, once, but is in 'train' and 'test'",
        ),
        (drop("ptr"), "ptr must be in the file, but is missing"),
        (drop("y"), "y must be in the file, but is missing"),
        (change("ptr", torch.tensor([0, 3, 5, 9.0])), "ptr must be of dtype torch.int64"),
        (change("ptr", torch.tensor([0, 3, 5, 8])), "ptr must end with 9, .* but ends with 8"),
        (change("ptr", torch.tensor([1, 3, 5, 9])), "ptr must begin with 0, but begins with 1"),
        (
            change("ptr", torch.tensor([0, 5, 3, 9])),
            "'two': ptr must strictly increase, but has 3 after 5",
        ),
        (
            change("ptr", torch.tensor([0, 3, 3, 9])),
            "'two': ptr must strictly increase, but has 3 after 3",
        ),
        (
            change("ptr", torch.tensor([0, -(2**63), 2**63 - 1, 9])),
            "'one': ptr must strictly increase, but has -9223372036854775808 after 0",
        ),
        (change("speaker", torch.arange(8)), r"speaker must have shape \[9\], but got \[8\]"),
        (
            change("speaker", torch.arange(9) - 1),
            "'one': speaker must not be negative, .* 0 has -1",
        ),
        (change("y", torch.zeros(9)), "y must be of dtype torch.int64, but got torch.float32"),
        (change("y", torch.tensor(0)), r"y must have shape \[U\], but got \[\]"),
        (change("y", torch.arange(9) - 3), r"'one': labels must be in \[0, 2\), .* 0 has -3"),
        (
            change("features.text", torch.ones(9)),
            r"features.text must have shape \[9, d\], but got \[9\]",
        ),
        (
            change("features.text", torch.ones(9, 0)),
            r"features.text must not be empty, but got shape \[9, 0\]",
        ),
        (
            change("features.text", torch.ones(9, 1, dtype=torch.uint16)),
            "features.text must be of another dtype than U16",
        ),
        (
            change("extractors", {"smell": {}}),
            r"extractors must .* \['smell'\]",
        ),
        (
            change("features.text", torch.ones(9, 1, dtype=torch.int32)),
            "features.text must be of a floating dtype, but got torch.int32",
        ),
        pytest.param(
            change("features.text", torch.ones(9, 1).to(torch.float8_e4m3fn)),
            "not implemented for 'Float8_e4m3fn'",
            marks=pytest.mark.skipif(
                torch.__version__ >= "2.15", reason="PyTorch 2.15 does with a float8 what we ask"
            ),
        ),
        (
            change("features.text", torch.full((9, 1), torch.inf)),
            "'one': text must be finite, but utterance 0 has NaN or infinity at position 0, "
            "one of 3 such utterances",
        ),
        (
            lambda _, tensors: tensors.update(present=torch.ones(9, 3, dtype=torch.bool)),
            r"present must have shape \[9, 2\], but got \[9, 3\]",
        ),
        (
            lambda _, tensors: tensors.update(score=torch.zeros(9, 1)),
            r"score must have shape \[9\], but got \[9, 1\]",
        ),
        (
            lambda _, tensors: tensors.update(score=torch.full((9,), torch.inf)),
            "'one': score must be finite, .* utterance 0 has infinity",
        ),
        (
            lambda _, tensors: tensors.update(text=torch.zeros(9, 1)),
            "text must not be in the file: it is neither a tensor of the format nor a modality",
        ),
    ],
)
def test_a_violated_format_is_named(tmp_path, edit, message):
    path = tmp_path / "corpus"
    header, tensors = small_file(path)
    edit(header, tensors)
    put_together(path, header, tensors)
    for reader in (load, load_safetensors):
        with pytest.raises(FormatError, match=message) as caught:
            read_all(reader(path))  # what is wrong in a conversation is found when it is read
        assert str(caught.value).startswith(f"{path}: ")


def test_the_order_of_modalities_and_what_is_said_besides():
    """Other programs may write what this one leaves out."""
    corpus = small_corpus()

    def edit(path):
        save(corpus, path)
        header, tensors = take_apart(path)
        header |= {"modalities": ["audio", "text"], "comment": "who knows"}
        put_together(path, header, tensors | {"present": torch.ones(9, 2, dtype=torch.bool)})
        return load(path)

    assert_same(load_bytes(edit, b""), corpus.select(["audio", "text"]))


def test_bytes_that_are_no_bools_are_true():
    data = saved(Corpus(("a",), {"train": [half_present()]}))
    assert data.endswith(b"\1\0")  # the tensor with the smallest items comes last
    data = data.replace(b"checksums", b"unchecked")  # as a file of other tools
    corpus = load_bytes(load, data[:-2] + b"\2\0")
    (conversation,) = corpus.splits["train"]
    (mask,) = conversation.present.values()
    assert mask.view(torch.uint8).tolist() == [1, 0]


def half_present():
    features = {"text": torch.tensor([[1.0], [torch.nan]])}
    zeros, present = torch.zeros(2, dtype=torch.int64), torch.tensor([True, False])
    return Conversation(features, zeros, zeros, dict.fromkeys(features, present), id="conversation")


DATA_OF_ONE = saved(Corpus(("a",), {"train": [half_present()]}))
HEADER = DATA_OF_ONE[8 : 8 + int.from_bytes(DATA_OF_ONE[:8], "little")]
BODY = DATA_OF_ONE[8 + len(HEADER) :]


def packed(header, body=BODY):
    return len(header).to_bytes(8, "little") + header + body


def test_the_pieces_here_load():
    assert loads_or_refuses(load, packed(HEADER))


@MANY
@given(st.data())
def test_a_damaged_file_loads_or_is_refused(data):
    assert_loads_or_lists_problems(data.draw(damaged(DATA_OF_ONE)))


@MANY
@given(st.data())
def test_a_damaged_header_of_the_declared_size_loads_or_is_refused(data):
    assert_loads_or_lists_problems(packed(data.draw(damaged(HEADER)), data.draw(damaged(BODY))))


@MANY
@given(st.data())
def test_damaged_metadata_in_a_valid_file_load_or_are_refused(data):
    header = json.loads(HEADER)
    inner = data.draw(damaged(header["__metadata__"]["corpus"].encode()))
    header["__metadata__"]["corpus"] = inner.decode("latin1")
    assert_loads_or_lists_problems(packed(json.dumps(header).encode()))


def assert_loads_or_lists_problems(data):
    """It loads, or is refused, and then the validator lists a problem."""
    problems = load_bytes(validate, data)
    assert loads_or_refuses(load, data) or problems


@given(
    st.lists(st.integers(-2, 2**70) | st.integers(0, 6), max_size=4),
    st.lists(st.integers(-2, 2**70) | st.integers(0, 60), min_size=2, max_size=2),
    st.sampled_from(["F32", "F64", "BOOL", "I64", "F8_E8M0", "F4", "U64", "C64", "X"]),
    st.sampled_from(["ptr", "y", "features.text", "new"]),
)
def test_any_declared_tensor_takes_no_more_than_the_file(shape, offsets, dtype, name):
    header = json.loads(HEADER)
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
    data = packed(json.dumps(header).encode())
    assert peak_memory(load_safetensors, data) < SMALL


def doubled(name):
    """The header with one tensor described twice, alike."""
    header = json.loads(HEADER)
    once = json.dumps({name: header[name]})[1:-1]
    return HEADER.rstrip()[:-1] + b"," + once.encode() + b"}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "header too small"),
        (bytes(8), "invalid JSON in header"),
        (b"\xff" * 8 + b"{}", "header too large"),
        ((2**40).to_bytes(8, "little") + b"{}", "header too large"),
        ((2**20).to_bytes(8, "little") + b"{}", "invalid header length"),
        (packed(b"{}", b""), "format must be 'graphfusion.corpus', but got None"),
        (packed(b'{"__metadata__":null}', b""), "format must be .* but got None"),
        (packed(b'{"__metadata__":{"corpus":"[]"}}', b""), "format must be .* but got None"),
        (packed(b'{"__metadata__":{"corpus":"{"}}', b""), "corpus, in the metadata, must be JSON"),
        (
            packed(b'{"__metadata__":{"corpus":"' + b"[" * 10**5 + b'"}}', b""),
            "RecursionError",
        ),
        (
            packed(b'{"__metadata__":{"corpus":"{\\"version\\":1,\\"version\\":2}"}}', b""),
            "must be JSON, but: refused: the header has a key twice",
        ),
        (packed(doubled("y")), "refused: the header has a key twice"),
        (packed(HEADER.replace(b'"data_offsets":[0,', b'"data_offsets":[8,')), "invalid offset"),
        (packed(HEADER, BODY + b"\0"), "file not fully covered|incomplete"),
        (packed(HEADER, BODY[:-1]), "file not fully covered|incomplete"),
    ],
)
def test_a_file_that_is_none(data, message):
    with pytest.raises(FormatError, match=message):
        load_bytes(load_safetensors, data)
    assert peak_memory(load_safetensors, data) < 2 * SMALL


def test_a_shape_of_a_million_sizes():
    header = json.loads(HEADER)
    header["y"]["shape"] += [1] * 10**6
    with pytest.raises(FormatError, match=r"y must have shape \[U\], but got"):
        load_bytes(load_safetensors, packed(json.dumps(header).encode()))
