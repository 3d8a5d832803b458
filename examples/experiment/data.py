"""What is trained on, what the epoch is picked on, and a fingerprint of both."""

import hashlib
import random
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import torch

from graphfusion import Conversation
from graphfusion.datasets import Corpus, load, synthetic

VALIDATION = ("dev", "val", "valid", "validation")


def read(
    path: Path | None, modalities: Sequence[str] | None, needed: Sequence[str] = ("test",)
) -> Corpus:
    """The file's corpus, or a synthetic one, with those modalities, in the default dtype.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If anything in it is wrong, a split is not there that is needed or there that
            would be left out in silence, or a modality is not in it.
    """
    corpus = load(path) if path else synthetic()
    splits = corpus.splits
    for name in needed:
        if not corpus.splits.get(name):
            raise ValueError(
                f"{path} must have conversations in its {name} split, but has "
                f"{', '.join(f'{len(members)} in {split}' for split, members in splits.items())}."
            )
    if unknown := [name for name in splits if name not in ("train", "test", *VALIDATION)]:
        raise ValueError(
            f"{path} must have no splits but train, test and one of {', '.join(VALIDATION)}, but "
            f"has {unknown}."
        )
    corpus = corpus.select(modalities or default_modalities(corpus))
    for conversations in corpus.splits.values():
        for conversation in conversations:
            for name, value in conversation.features.items():
                conversation.features[name] = value.to(torch.get_default_dtype())
    return corpus


def default_modalities(corpus: Corpus) -> list[str]:
    """All modalities, with two habits of this project's own feature files.

    Prosody is joined to audio; and `text_minilm` replaces `text`, whose released features were
    trained on the training labels.
    """
    names = list(corpus.in_channels)
    if {"audio", "prosody"} <= set(names):
        names[names.index("audio")] = "audio+prosody"
        names.remove("prosody")
    if {"text", "text_minilm"} <= set(names):
        names.remove("text")
    return names


def subsets(names: Sequence[str]) -> list[list[str]]:
    """Every choice of at least one of them, small ones first."""
    sizes = range(1, len(names) + 1)
    return [list(chosen) for size in sizes for chosen in combinations(names, size)]


def held_out(corpus: Corpus, seed: int) -> tuple[list[Conversation], list[Conversation]]:
    """Conversations to train on, and those to pick the epoch on: a split, or a tenth of "train".

    Raises:
        ValueError: If there is but one training conversation.
    """
    train = corpus.splits["train"]
    for name in VALIDATION:
        if corpus.splits.get(name):
            return train, corpus.splits[name]
    if len(train) < 2:
        raise ValueError("there must be at least two training conversations to hold one out.")
    order = random.Random(seed).sample(range(len(train)), len(train))  # noqa: S311
    share = max(1, len(train) // 10)
    return [train[i] for i in order[share:]], [train[i] for i in order[:share]]


def fingerprint(corpus: Corpus) -> str:
    """A hash of every name, label, speaker and feature of the corpus, and of their order."""
    digest = hashlib.sha256()
    digest.update(repr((corpus.classes, corpus.in_channels)).encode())
    for split, conversations in corpus.splits.items():
        for conversation in conversations:
            digest.update(repr((split, conversation.id, len(conversation.y))).encode())
            present = torch.stack(list(conversation.present.values()), 1)
            for value in (
                *conversation.features.values(),
                conversation.speaker,
                conversation.y,
                present,
            ):
                digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
