"""Random corpora in plain Python and numpy, as either format holds them, and what must come out."""

import io
import tempfile
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st

from graphfusion.datasets import Corpus, FormatError

MODALITIES = ("audio", "visual", "text")
# Cheap ones, so more of them; in the quick run three times as many.
EXAMPLES = settings.default.max_examples
MANY = settings(max_examples=30 if EXAMPLES <= 10 else max(300, EXAMPLES))


@dataclass
class Talk:
    id: str
    split: str
    speakers: list[str]
    labels: list[int]
    features: dict[str, np.ndarray]  # [U, d] float32 each


@dataclass
class Sample:
    num_classes: int
    talks: list[Talk]


def make_sample(
    seed=0,
    lengths=((3, 2), (4,)),
    splits=("train", "test"),
    sizes=(("audio", 3), ("visual", 2), ("text", 4)),
    num_classes=2,
):
    """A corpus with `lengths[i]` utterances in the conversations of `splits[i]`."""
    rng = np.random.default_rng(seed)
    talks = []
    for split, sized in zip(splits, lengths, strict=True):
        for u in sized:
            talks.append(
                Talk(
                    f"{split}{len(talks)}",
                    split,
                    [f"speaker {n}" for n in rng.integers(0, 3, u)],
                    rng.integers(0, num_classes, u).tolist(),
                    {m: rng.normal(size=(u, d)).astype(np.float32) for m, d in sizes},
                )
            )
    # The pickles' classes are those that occur, so all of them must.
    total = sum(len(talk.labels) for talk in talks)
    assert total >= num_classes
    missing = iter(range(num_classes))
    for talk in talks:
        talk.labels = [next(missing, label) for label in talk.labels]
    return Sample(num_classes, talks)


@st.composite
def samples(draw, splits=("train", "test"), modalities=MODALITIES):
    lengths = st.lists(st.integers(1, 5), min_size=1, max_size=3)
    sized = [draw(lengths) for _ in splits]
    return make_sample(
        draw(st.integers(0, 2**32)),
        sized,
        splits,
        [(name, draw(st.integers(1, 4))) for name in modalities],
        draw(st.integers(1, sum(map(sum, sized)))),
    )


def assert_holds(corpus: Corpus, sample: Sample, classes, modalities):
    assert corpus.classes == tuple(classes)
    splits = list(dict.fromkeys(talk.split for talk in sample.talks))
    assert list(corpus.splits) == splits
    for split in splits:
        talks = [talk for talk in sample.talks if talk.split == split]
        assert [conversation.id for conversation in corpus.splits[split]] == [t.id for t in talks]
        for conversation, talk in zip(corpus.splits[split], talks, strict=True):
            assert list(conversation.features) == list(modalities)
            for name in modalities:
                expected = torch.from_numpy(talk.features[name])
                assert conversation.features[name].dtype == torch.float32
                assert torch.equal(conversation.features[name], expected)
            order = sorted(set(talk.speakers), key=talk.speakers.index)
            assert conversation.speaker.tolist() == [order.index(who) for who in talk.speakers]
            assert conversation.y.dtype == torch.int64
            assert conversation.y.tolist() == talk.labels
            assert all(mask.all() for mask in conversation.present.values())


def npz_arrays(sample: Sample) -> dict[str, np.ndarray]:
    def rows(values):
        return [value for talk in sample.talks for value in values(talk)]

    features = {
        name: np.concatenate([talk.features[name] for talk in sample.talks])
        for name in sample.talks[0].features
    }
    return {
        "dialogue": np.array(rows(lambda talk: [talk.id] * len(talk.labels))),
        "speaker": np.array(rows(lambda talk: talk.speakers)),
        "label": np.array(rows(lambda talk: talk.labels), dtype=np.int16),
        "split": np.array(rows(lambda talk: [talk.split] * len(talk.labels))),
        "classes": np.array([f"class {c}" for c in range(sample.num_classes)]),
        **features,
    }


def npz_bytes(arrays, save=np.savez) -> bytes:
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def pickle_fields(sample: Sample, rows=lambda array: list(array)) -> list:
    """The nine elements, to be pickled as a tuple; `rows` says how a feature matrix is held."""
    tables = [
        {talk.id: value(talk) for talk in sample.talks}
        for value in (
            lambda talk: [f"{talk.id}_{u}" for u in range(len(talk.labels))],
            lambda talk: talk.speakers,
            lambda talk: talk.labels,
            lambda talk: rows(talk.features["text"]),
            lambda talk: rows(talk.features["audio"]),
            lambda talk: rows(talk.features["visual"]),
            lambda talk: ["a sentence"] * len(talk.labels),
        )
    ]
    splits = [[talk.id for talk in sample.talks if talk.split == s] for s in ("train", "test")]
    return [*tables, *splits]


def load_bytes(load, data: bytes) -> Corpus:
    # A corpus that is opened holds its file, which some systems do not remove, then.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder, "features")
        path.write_bytes(data)
        return load(path)


def read_all(corpus: Corpus) -> Corpus:
    """The same, all of its conversations in memory."""
    splits = {split: list(talks) for split, talks in corpus.splits.items()}
    return Corpus(corpus.classes, splits, corpus.extractors)


def loads_or_refuses(load, data: bytes) -> bool:
    """Whether it loads to the end; any other end than a FormatError is passed on."""
    try:
        corpus = load_bytes(lambda path: read_all(load(path)), data)
    except FormatError:
        return False
    assert isinstance(corpus, Corpus)
    return True


def peak_memory(load, data: bytes) -> int:
    """The most bytes that loading took at once, whether it ended well or not."""
    tracemalloc.start()
    try:
        loads_or_refuses(load, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@st.composite
def damaged(draw, data: bytes) -> bytes:
    """A file with some bytes changed, and perhaps cut off, or with a piece lost or repeated."""
    broken = bytearray(data)
    where = st.integers(0, len(data) - 1)
    for place, byte in draw(st.lists(st.tuples(where, st.integers(0, 255)), max_size=8)):
        broken[place] = byte
    start, stop = sorted((draw(where), draw(where)))
    kind = draw(st.sampled_from(("changed", "cut off", "piece lost", "piece repeated")))
    if kind == "cut off":
        del broken[start:]
    elif kind == "piece lost":
        del broken[start:stop]
    elif kind == "piece repeated":
        broken[start:start] = broken[start:stop]
    return bytes(broken)


def rows(conversation):
    """Which modalities each utterance has, a row each."""
    return torch.stack(list(conversation.present.values()), 1).tolist()
