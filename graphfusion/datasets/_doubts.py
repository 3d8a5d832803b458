"""What conversations may have, but hardly on purpose: for the validator."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from graphfusion.datasets._problems import AnyConversation, Problem, Splits, search

_ENOUGH = 20  # utterances; fewer say nothing about how a column varies
_HARDLY = 1e-5  # of a column's largest value, as its standard deviation


def doubts(classes: Sequence[str], splits: Splits) -> Iterator[Problem]:
    """What a corpus may have, but hardly on purpose."""
    for split, conversations in splits.items():
        if not conversations and split != "train":  # without that there is no corpus
            yield Problem(None, "splits", f"{split!r} must have conversations, but has none.")
    yield from _labels(classes, splits.get("train", ()))
    whole = [each for conversations in splits.values() for each in conversations]
    for conversation in whole:
        yield from _numbering(conversation)
    yield from _duplicates(whole)
    for name in whole[0].features if whole else ():
        yield from _zeros(name, whole)
        yield from _columns(name, splits)


def _labels(classes: Sequence[str], train: Sequence[AnyConversation]) -> Iterator[Problem]:
    found: set[float] = set()
    for conversation in train:
        found |= set(conversation.y[~conversation.y.isnan()].tolist())
    if train and not classes and not found:
        yield Problem(None, "y", "'train' must have an utterance with a score, but has none.")
    for number, name in enumerate(classes):
        if train and number not in found:
            message = f"class {name!r} must have an example in 'train', but has none."
            yield Problem(None, "classes", message)


def _numbering(conversation: AnyConversation) -> Iterator[Problem]:
    speaker = conversation.speaker
    known = speaker.cummax(0).values.roll(1)
    known[0] = -1
    broken = (speaker - 1 > known) & (speaker >= 0).all()  # else that is the problem
    rule = "speaker must be numbered from 0 by first appearance"
    yield from search(conversation.id, "speaker", rule, broken, speaker)


def _duplicates(whole: Sequence[AnyConversation]) -> Iterator[Problem]:
    seen: dict[bytes, str] = {}
    for conversation in whole:
        if len(conversation.speaker) == 1:  # "Okay." may well be said twice
            continue
        digest = blake2b()
        for name, values in conversation.features.items():
            digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
            raw: Any = values.detach().cpu().contiguous().view(torch.uint8).numpy()
            digest.update(raw)
        first = seen.setdefault(digest.digest(), conversation.id)
        if first != conversation.id:
            message = f"features must differ from those of {first!r}, but are the same."
            yield Problem(conversation.id, "features", message)


def _zeros(name: str, whole: Sequence[AnyConversation]) -> Iterator[Problem]:
    """Vectors of nothing but zeros are how many extractors say that they failed."""
    count, first = 0, ""
    for conversation in whole:
        values = conversation.features.get(name)
        if values is None or values.size(1) == 1:  # a single number may well be 0
            continue
        broken = ((values == 0).all(1) & conversation.present[name]).nonzero().flatten().tolist()
        if broken and not first:
            first = f"utterance {broken[0]} of {conversation.id!r}"
        count += len(broken)
    if count:
        message = (
            f"{name} must be said to be absent where extraction failed, but is all zeros in "
            f"{count} utterances, the first: {first}."
        )
        yield Problem(None, f"features.{name}", message)


def _columns(name: str, splits: Splits) -> Iterator[Problem]:
    """Columns that standardising makes huge: they hardly vary in training, and do elsewhere."""
    train, rest = (
        [
            values[conversation.present[name]].double()
            for split, conversations in splits.items()
            for conversation in conversations
            if (split == "train") is wanted
            and (values := conversation.features.get(name)) is not None
        ]
        for wanted in (True, False)
    )
    sizes = {each.size(1) for each in (*train, *rest)}
    if len(sizes) != 1 or sum(map(len, train)) < _ENOUGH:
        return
    known, whole = torch.cat(train), torch.cat([*train, *rest])
    if not bool(whole.isfinite().all()):  # that is the problem
        return
    flat = _spread(known) <= _HARDLY * whole.abs().amax(0)
    bad = (flat & (whole.amax(0) > whole.amin(0))).nonzero().flatten().tolist()
    if bad:
        message = (
            f"{name} must vary in 'train' in all columns, but hardly does in {len(bad)} of "
            f"{known.size(1)}, the first: {bad[0]}; standardising makes large numbers of it."
        )
        yield Problem(None, f"features.{name}", message)


def _spread(values: Tensor) -> Tensor:
    return values.std(0, correction=0)
