"""Random corpora with everything that the library's own format must keep, and files of them."""

import json

import safetensors.torch
import torch
from hypothesis import strategies as st

from graphfusion import Conversation
from graphfusion.datasets import Corpus, save

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
names = st.sampled_from(["a.b", "batch_index", "ptr", "y", "features.y", "__metadata__"]) | st.text(
    min_size=1, max_size=4
)


@st.composite
def corpora(draw, least_classes=0, modality=names, dtypes=DTYPES) -> Corpus:
    """A corpus; conversations of one utterance and splits without any are common.

    Features are of any bits, and NaN where they are absent.
    """
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    modalities = draw(st.lists(modality, min_size=1, max_size=3, unique=True))
    chosen = [draw(st.sampled_from(dtypes)) for _ in modalities]
    sizes = [draw(st.integers(1, 4)) for _ in modalities]
    # None of them: the labels are scores.
    classes = draw(
        st.lists(st.text(min_size=1, max_size=3), min_size=least_classes, max_size=3, unique=True)
    )
    several = bool(classes) and draw(st.booleans())
    masked, scored = draw(st.booleans()), draw(st.booleans())
    unlabelled = draw(st.sampled_from([0.0, 0.4, 1.0]))
    ids = iter(draw(st.lists(st.text(min_size=1, max_size=3), min_size=7, max_size=7, unique=True)))
    others = st.lists(names.filter("train".__ne__), max_size=2, unique=True)
    splits = {}
    for split in draw(st.permutations(["train", *draw(others)])):
        splits[split] = []
        for _ in range(draw(st.integers(1 if split == "train" else 0, 2))):
            u = draw(st.integers(1, 4))
            present = torch.ones(u, len(modalities), dtype=torch.bool)
            if masked:
                present = torch.rand(present.shape, generator=generator) < 0.6
            features = {}
            for name, dtype, d, here in zip(
                modalities, chosen, sizes, present.unbind(1), strict=True
            ):
                bits = torch.randint(0, 256, (u, d * dtype.itemsize), generator=generator)
                values = bits.to(torch.uint8).view(dtype)
                values[~values.isfinite() & here[:, None]] = -0.0
                values[~here, 0] = torch.nan
                features[name] = values
            missing = torch.rand(u, generator=generator) < unlabelled
            if several:
                y = torch.randint(0, 2, (u, len(classes)), generator=generator).float()
                y[torch.rand(y.shape, generator=generator) < unlabelled / 2] = torch.nan
            elif classes:
                y = torch.randint(0, len(classes), (u,), generator=generator)
            else:
                y = torch.randn(u, generator=generator)
            y[missing] = torch.nan if y.is_floating_point() else -100
            conversation = Conversation(
                features,
                torch.randint(0, draw(st.sampled_from([1, 3, 2**62])), (u,), generator=generator),
                y,
                dict(zip(modalities, present.unbind(1), strict=True)),
                id=next(ids),
            )
            if scored:
                conversation.score = torch.randn(u, generator=generator).where(~missing, torch.nan)
            splits[split].append(conversation)
    known = draw(st.lists(st.sampled_from(modalities), unique=True))
    extractors = {name: {"model": draw(st.text(max_size=3)), "sizes": [1, None]} for name in known}
    return Corpus(tuple(classes), splits, extractors)


def assert_same(one: Corpus, other: Corpus) -> None:
    """Equal in every field and every bit."""
    assert one.classes == other.classes
    assert list(one.splits) == list(other.splits)
    assert one.extractors == other.extractors
    assert one.fingerprint == other.fingerprint
    for split, conversations in one.splits.items():
        for a, b in zip(conversations, other.splits[split], strict=True):
            assert set(a.keys()) == set(b.keys())
            assert (a.id, a.num_nodes) == (b.id, b.num_nodes)
            assert list(a.features) == list(b.features)
            assert bits(a) == bits(b)


def bits(conversation: Conversation) -> list[object]:
    """All tensors of a conversation, comparable where they are NaN, too."""
    tensors = [
        conversation.speaker,
        conversation.y,
        *conversation.present.values(),
        *conversation.features.values(),
    ]
    if "score" in conversation:
        tensors.append(conversation.score)
    return [
        (each.dtype, each.shape, each.reshape(-1).view(torch.uint8).tolist()) for each in tensors
    ]


def take_apart(path) -> tuple[dict, dict[str, torch.Tensor]]:
    """What a file says of itself, but for its checksums, and its tensors."""
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["corpus"])
    header.pop("checksums", None)  # or else they are all that is wrong with what is changed
    tensors = safetensors.torch.load_file(path)  # views of the file, which is written over
    return header, {name: each.clone() for name, each in tensors.items()}


def put_together(path, header: object, tensors: dict[str, torch.Tensor]) -> None:
    """The file with these, right or wrong."""
    safetensors.torch.save_file(tensors, path, {"corpus": json.dumps(header)})


def small_corpus() -> Corpus:
    """Two conversations to train on and one to test on, without a problem."""
    conversations = [
        Conversation(
            {"text": torch.full((u, 3), 0.5), "audio": torch.full((u, 2), 2.0)},
            speaker=torch.arange(u) % 2,
            y=torch.arange(u) % 2,
            id=name,
        )
        for name, u in (("one", 3), ("two", 2), ("three", 4))
    ]
    return Corpus(("calm", "angry"), {"train": conversations[:2], "test": conversations[2:]})


def small_file(path) -> tuple[dict, dict[str, torch.Tensor]]:
    """Writes the small corpus, and takes the file apart."""
    save(small_corpus(), path)
    return take_apart(path)
