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
class PlainConversation:
    id: str
    split: str
    speakers: list[str]
    labels: list[int]
    features: dict[str, np.ndarray]  # [U, d] float32 each


@dataclass
class Sample:
    num_classes: int
    conversations: list[PlainConversation]


def make_sample(
    seed=0,
    lengths=((3, 2), (4,)),
    splits=("train", "test"),
    sizes=(("audio", 3), ("visual", 2), ("text", 4)),
    num_classes=2,
):
    """A corpus with `lengths[i]` utterances in the conversations of `splits[i]`."""
    rng = np.random.default_rng(seed)
    conversations = []
    for split, sized in zip(splits, lengths, strict=True):
        for u in sized:
            conversations.append(
                PlainConversation(
                    f"{split}{len(conversations)}",
                    split,
                    [f"speaker {n}" for n in rng.integers(0, 3, u)],
                    rng.integers(0, num_classes, u).tolist(),
                    {m: rng.normal(size=(u, d)).astype(np.float32) for m, d in sizes},
                )
            )
    # The pickles' classes are those that occur, so all of them must.
    total = sum(len(conversation.labels) for conversation in conversations)
    assert total >= num_classes
    missing = iter(range(num_classes))
    for conversation in conversations:
        conversation.labels = [next(missing, label) for label in conversation.labels]
    return Sample(num_classes, conversations)


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
    splits = list(dict.fromkeys(plain.split for plain in sample.conversations))
    assert list(corpus.splits) == splits
    for split in splits:
        plains = [plain for plain in sample.conversations if plain.split == split]
        assert [conversation.id for conversation in corpus.splits[split]] == [t.id for t in plains]
        for conversation, plain in zip(corpus.splits[split], plains, strict=True):
            assert list(conversation.features) == list(modalities)
            for name in modalities:
                expected = torch.from_numpy(plain.features[name])
                assert conversation.features[name].dtype == torch.float32
                assert torch.equal(conversation.features[name], expected)
            order = sorted(set(plain.speakers), key=plain.speakers.index)
            assert conversation.speaker.tolist() == [order.index(who) for who in plain.speakers]
            assert conversation.y.dtype == torch.int64
            assert conversation.y.tolist() == plain.labels
            assert all(mask.all() for mask in conversation.present.values())


def npz_arrays(sample: Sample) -> dict[str, np.ndarray]:
    def rows(values):
        return [value for conversation in sample.conversations for value in values(conversation)]

    features = {
        name: np.concatenate([conversation.features[name] for conversation in sample.conversations])
        for name in sample.conversations[0].features
    }
    return {
        "dialogue": np.array(
            rows(lambda conversation: [conversation.id] * len(conversation.labels))
        ),
        "speaker": np.array(rows(lambda conversation: conversation.speakers)),
        "label": np.array(rows(lambda conversation: conversation.labels), dtype=np.int16),
        "split": np.array(
            rows(lambda conversation: [conversation.split] * len(conversation.labels))
        ),
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
        {conversation.id: value(conversation) for conversation in sample.conversations}
        for value in (
            lambda conversation: [
                f"{conversation.id}_{u}" for u in range(len(conversation.labels))
            ],
            lambda conversation: conversation.speakers,
            lambda conversation: conversation.labels,
            lambda conversation: rows(conversation.features["text"]),
            lambda conversation: rows(conversation.features["audio"]),
            lambda conversation: rows(conversation.features["visual"]),
            lambda conversation: ["a sentence"] * len(conversation.labels),
        )
    ]
    splits = [
        [conversation.id for conversation in sample.conversations if conversation.split == s]
        for s in ("train", "test")
    ]
    return [*tables, *splits]


def load_bytes(load, data: bytes) -> Corpus:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "features")
        path.write_bytes(data)
        return load(path)


def loads_or_refuses(load, data: bytes) -> bool:
    """Whether it loads; any other end than a corpus or a FormatError is passed on."""
    try:
        corpus = load_bytes(load, data)
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
