"""A corpus that is opened, and reads conversations when they are asked for."""

import dataclasses
import io
import multiprocessing
import os
import pickle
import re
import threading
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.loader import DataLoader

from graphfusion import Conversation, Standardize
from graphfusion.datasets import Corpus, FormatError, load, save
from graphfusion.datasets.storage.rows import Rows
from graphfusion.datasets.storage.source import Source
from tests.datasets.made_corpora import (
    assert_same,
    bits,
    corpora,
    put_together,
    small_corpus,
    take_apart,
)
from tests.datasets.samples import load_bytes, read_all


@pytest.fixture
def opened(tmp_path):
    save(small_corpus(), tmp_path / "corpus")
    return load(tmp_path / "corpus")


@given(corpora(), st.data())
def test_opened_is_as_in_memory(corpus, data):
    """Its splits are sequences, before and after a conversation was read for the first time."""
    again = load_bytes(lambda path: [save(corpus, path), load(path)][1], b"")
    assert again.fingerprint == corpus.fingerprint
    names = list(corpus.in_channels)
    groups = data.draw(st.sampled_from([names, names[::-1], names[:1], ["+".join(names)]]))
    alone = not any("+" in name for name in names)
    for split, talks in corpus.splits.items():
        there = again.splits[split]
        assert isinstance(there, Sequence)
        assert len(there) == len(talks)
        assert again.ids(split) == [each.id for each in talks]
        for y, each in zip(again.labels(split), talks, strict=True):
            assert torch.equal(y.nan_to_num(-1), each.y.nan_to_num(-1))
        for _ in range(2):
            assert [bits(each) for each in there] == [bits(each) for each in talks]
            assert [bits(each) for each in there[::-1]] == [bits(each) for each in talks[::-1]]
            places = list(range(len(talks)))[::-1]
            assert [bits(each) for each in there.__getitems__(places)] == [
                bits(each) for each in talks[::-1]
            ]
            assert [bits(there[place - len(talks)]) for place in places] == [
                bits(talks[place]) for place in places
            ]
    if alone:
        assert_same(again.select(groups), read_all(corpus.select(groups)))
    ids = data.draw(
        st.permutations([name for split in corpus.splits for name in corpus.ids(split)])
    )
    others = {"train": ids[:1], "rest": ids[1:]}
    assert_same(again.with_splits(others), corpus.with_splits(others))
    packed = lambda path: [save(corpus, path), pickle.loads(pickle.dumps(load(path)))][1]  # noqa: E731
    assert_same(load_bytes(packed, b""), corpus)
    assert_same(load_bytes(lambda path: [save(again, path), load(path)][1], b""), corpus)


def test_views_of_views_keep_their_place(opened):
    folds = opened.with_splits({"train": ["three", "one"], "test": ["two"]})
    again = folds.with_splits({"train": ["two", "three"]}).select(["audio"])
    (first, second) = again.splits["train"]
    assert (first.id, second.id) == ("two", "three")
    assert list(first.features) == ["audio"]
    batch = next(iter(DataLoader(again.splits["train"], batch_size=2)))
    assert batch.id == ["two", "three"]
    assert len(again.splits["train"][:1]) == 1
    for place in (2, -3):
        with pytest.raises(IndexError, match=rf"\[-2, 2\), but got {place}"):
            again.splits["train"][place]


def test_only_accessed_conversations_are_read(tmp_path, monkeypatch):
    save(small_corpus(), tmp_path / "corpus")
    real, read = Rows.read, []
    monkeypatch.setattr(
        Rows, "read", lambda self, places: read.extend(places) or real(self, places)
    )
    corpus = load(tmp_path / "corpus")
    assert repr(corpus) == repr(small_corpus())
    assert corpus.labels("train")[1].tolist() == [0, 1]
    folds = corpus.with_splits({"train": ["three", "two"]}).select(["text"])
    folds.labels("train")
    pickle.loads(pickle.dumps(folds))
    assert not read
    assert folds.splits["train"][0].id == "three"
    assert read == [2]


def test_what_is_read_is_one_s_own(opened):
    opened.splits["train"][0].features["text"].fill_(7)
    opened.splits["train"][0].y.fill_(7)
    assert_same(opened, small_corpus())


def test_statistics_need_no_corpus_in_memory(opened):
    one = Standardize(opened.in_channels).fit(opened.splits["train"])
    other = Standardize(opened.in_channels).fit(small_corpus().splits["train"])
    assert str(one.state_dict()) == str(other.state_dict())


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_open_it_again(opened, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("the system has no such processes")
    opened.splits["train"][0]
    loader = DataLoader(
        opened.splits["train"], batch_size=1, num_workers=1, multiprocessing_context=method
    )
    assert [batch.id for batch in loader] == [["one"], ["two"]]


def grown(path):
    with path.open("ab") as file:
        file.write(b"more")


def touched(path):
    os.utime(path, ns=(1, 1))


def exchanged(path):
    save(Corpus(("calm", "angry"), {"train": small_corpus().splits["test"]}), path)


def cut(path):
    os.truncate(path, 100)


@pytest.mark.parametrize("change", [grown, touched, exchanged, cut])
def test_a_file_that_changes_is_refused(tmp_path, change):
    path = tmp_path / "corpus"
    save(small_corpus(), path)
    corpus = load(path)
    corpus.splits["train"][0]
    packed = pickle.dumps(corpus)
    change(path)
    message = f"^{re.escape(str(path))}: the file must stay as it was .* but has changed"
    if change is not exchanged:  # the one that is open is still there
        train = corpus.splits["train"]  # the first was read before, the second was not
        for use in (lambda: train[0], lambda: train[1], lambda: corpus.labels("train")):
            with pytest.raises(FormatError, match=message):
                use()
    with pytest.raises(FormatError, match=message):
        pickle.loads(packed)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        pickle.loads(packed)


def test_a_file_that_is_cut_while_it_is_read_is_refused(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(Source, "check", lambda _: cut(tmp_path / "corpus"))
    with pytest.raises(FormatError, match="the file must stay as it was .* but has changed"):
        opened.splits["train"][0]


def test_a_header_that_changes_by_itself_is_refused(tmp_path):
    path = tmp_path / "corpus"
    save(small_corpus(), path)
    corpus, before = load(path), path.stat()
    data = path.read_bytes().replace(b'\\"one\\"', b'\\"two\\"')
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(FormatError, match="has changed"):
        pickle.loads(pickle.dumps(corpus))


def test_what_is_wrong_in_a_conversation_is_found_when_it_is_read(tmp_path):
    path = tmp_path / "corpus"
    save(small_corpus(), path)
    header, tensors = take_apart(path)
    tensors["features.text"][4] = torch.nan
    put_together(path, header, tensors)
    train = load(path).splits["train"]
    assert train[0].id == "one"
    for ask in (lambda: train[1], lambda: train.__getitems__([0, 1]), lambda: list(train)):
        with pytest.raises(FormatError, match="'two': text must be finite, but utterance 1 has"):
            ask()


def test_many_threads_read_at_once(opened):
    found = []

    def read():
        found.extend([bits(each) for each in opened.splits["train"]] for _ in range(50))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [[bits(each) for each in small_corpus().splits["train"]]] * 200


def test_a_system_that_reads_little_at_a_time(tmp_path, monkeypatch):
    class Slow(io.FileIO):
        def readinto(self, buffer):
            return super().readinto(memoryview(buffer)[:7])

    save(small_corpus(), tmp_path / "corpus")
    monkeypatch.setattr(io, "FileIO", Slow)
    assert_same(load(tmp_path / "corpus"), small_corpus())


class Made(Sequence):
    """Conversations that a user's own sequence makes on access."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, place):
        if place >= self.size:
            raise IndexError
        zeros = torch.zeros(3, dtype=torch.int64)
        text = torch.full((3, 500), float(place))
        return Conversation({"text": text}, zeros, zeros, id=f"call {place}")


def test_sequences_of_one_s_own_are_saved(tmp_path):
    made = Corpus(("calm",), {"train": Made(5), "dev": []})
    save(made, tmp_path / "corpus")
    assert_same(load(tmp_path / "corpus"), read_all(made))
    assert_same(made.select(["text"]), made)
    folds = {"train": ["call 3", "call 1"]}
    chosen = made.with_splits(folds)
    assert_same(chosen, read_all(made).with_splits(folds))
    batch = chosen.splits["train"].__getitems__([1, 0])
    assert [each.id for each in batch] == ["call 1", "call 3"]


def test_a_sequence_that_changes_is_not_saved(tmp_path):
    made = Made(5)
    corpus = Corpus(("calm",), {"train": made})
    ids = iter(range(100))

    class Restless(Made):
        def __getitem__(self, place):
            talk = super().__getitem__(place)
            talk.id = str(next(ids))
            return talk

    corpus = dataclasses.replace(corpus, splits={"train": Restless(5)})
    with pytest.raises(ValueError, match="splits must not change while saving, but have"):
        save(corpus, tmp_path / "corpus")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing_and_names_the_file(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "corpus"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match=f"File too large: '{re.escape(str(path))}'"):
            save(Corpus(("calm",), {"train": Made(5)}), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_files_of_the_first_kind_load(tmp_path):
    """Their checksums are of BLAKE2b, and of all that is in the file."""
    from hashlib import blake2b
    from json import dumps

    def digest(*parts):
        whole = blake2b(digest_size=8)
        for part in parts:
            whole.update(part)
        return whole.hexdigest()

    path = tmp_path / "corpus"
    save(small_corpus(), path)
    header, tensors = take_apart(path)
    tensors["present"] = torch.ones(9, 2, dtype=torch.bool)
    ptr = tensors["ptr"].tolist()
    sums = [
        digest(
            name.encode(),
            *(
                tensors[each][start:end].numpy().tobytes()
                for each in sorted(tensors)
                if each != "ptr"
            ),
        )
        for name, start, end in zip(("one", "two", "three"), ptr, ptr[1:], strict=False)
    ]
    header["checksums"] = {"conversations": sums}
    layout = [(name, str(each.dtype), list(each.shape)) for name, each in sorted(tensors.items())]
    index = digest(dumps([header, layout]).encode(), tensors["ptr"].numpy().tobytes())
    header["checksums"]["index"] = index
    put_together(path, header, tensors)
    assert_same(load(path), small_corpus())
    tensors["speaker"][0] = 1
    put_together(path, header, tensors)
    with pytest.raises(FormatError, match="'one': its data must match their checksum"):
        load(path).splits["train"][0]
    tensors["ptr"][1] = 2
    put_together(path, header, tensors)
    with pytest.raises(FormatError, match="the file's index must match its checksum"):
        load(path)


def test_a_checksum_of_an_unknown_kind_is_refused(tmp_path):
    path = tmp_path / "corpus"
    save(small_corpus(), path)
    header, tensors = take_apart(path)
    header["checksums"] = {"algorithm": "md5", "conversations": ["", "", ""], "index": ""}
    put_together(path, header, tensors)
    with pytest.raises(FormatError, match="checksums must be of sha256, but got 'md5'"):
        load(path)
