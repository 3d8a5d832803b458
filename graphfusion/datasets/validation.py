"""Says everything that is wrong with a file of conversations."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Unpack

import torch

from graphfusion.data.labels import labelled
from graphfusion.datasets._load import TABLES, detect, load, read, refuse_options
from graphfusion.datasets._progress import Progress, silent
from graphfusion.datasets.checks.consistency import Consistency
from graphfusion.datasets.checks.doubts import doubts
from graphfusion.datasets.checks.problems import AnyConversation, Check, Faults, Problem, Splits
from graphfusion.datasets.checks.words import describe, say_unused
from graphfusion.datasets.readers._options import TableAsked
from graphfusion.datasets.readers._reading import FormatError
from graphfusion.datasets.storage.opened import Opened, open_splits
from graphfusion.datasets.storage.source import Source
from graphfusion.datasets.storage.store import Store


def validate(path: str | PathLike[str], **options: Unpack[TableAsked]) -> list[Problem]:
    """Lists everything that is wrong with a file of conversations.

    That is more than what :func:`load` refuses. It also checks that

    - every class has an example in "train", every split a conversation and every conversation a
      split, and that training takes these splits;
    - speakers are numbered by first appearance;
    - no two conversations have the same features;
    - no utterance has a vector of nothing but zeros, which is how extractors say that they failed;
    - no column is constant in "train" alone, or varies so little there that
      :class:`~graphfusion.Standardize` clips it.

    The values of all conversations are checked to the end, and so are all checksums. What keeps a
    file from being cut into conversations is listed alone, since nothing is known about those until
    it is mended; in a pickle, that is the first conversation that cannot be read.

    Args:
        path: A file that :func:`load` reads, or should.
        **options: As of :func:`load`.

    Returns:
        The problems; none if all is well.

    Raises:
        ImportError: If the file needs safetensors and that is not installed.
        OSError: If it cannot be opened.
    """
    return examine(path, options).problems


@dataclass
class Report:
    """What an examination found.

    Args:
        problems: All that is wrong.
        content: What the file holds, in words.
        notes: What there is to know, and no problem.
    """

    problems: list[Problem]
    content: str = ""
    notes: tuple[str, ...] = ()


def refusals(path: str | PathLike[str]) -> list[Problem]:
    """All for which :func:`load`, or reading what it has opened, refuses a file of our own format.

    Raises:
        FormatError: If that is found before any conversation is read.
    """
    store = Store(Source(path))
    classes, splits = tuple(store.header["classes"]), open_splits(store)
    checks: list[Check] = [Faults(), Consistency(classes, splits)]
    return _find(splits, checks, silent)


def examine(path: str | PathLike[str], options: TableAsked, progress: Progress = silent) -> Report:
    """Reads a file once, whatever its size, and says what it has and what is wrong with it."""
    try:
        form = detect(path)
        if form == "safetensors":
            refuse_options(path, options)
            store = Store(Source(path))
            return _examine(tuple(store.header["classes"]), open_splits(store), (), progress)
        if form in TABLES:
            corpus = load(path, **options)
            return _examine(corpus.classes, corpus.splits, (), progress)
        return read(
            path,
            form,
            lambda each: _examine(each.classes, each.splits, each.unused, progress),
            options,
        )
    except FormatError as error:
        return Report(list(error.problems))


def _examine(
    classes: Sequence[str],
    splits: Mapping[str, Opened] | Splits,
    unused: Sequence[str],
    progress: Progress,
) -> Report:
    notes, consistency = _Notes(), Consistency(classes, splits)
    checks: list[Check] = [Faults(), consistency, *doubts(classes, splits), notes]
    found = _find(splits, checks, progress)
    first = [Problem(None, "splits", say_unused(unused))] if unused else []
    content = describe(
        {split: len(each) for split, each in splits.items()}, notes.in_channels, consistency.spec
    )
    return Report(first + found, content, tuple(notes.say()))


def _find(
    splits: Mapping[str, Opened] | Splits, checks: Sequence[Check], progress: Progress
) -> list[Problem]:
    """What is damaged, and what checks find in the rest, each conversation read once."""
    damaged: list[Problem] = []
    total = sum(map(len, splits.values()))
    members = ((split, place) for split, each in splits.items() for place in range(len(each)))
    for split, place in progress(members, total):
        try:
            source = splits[split]
            raw = source.raw(place) if isinstance(source, Opened) else source[place]
        except FormatError as error:
            damaged += error.problems
            continue
        for check in checks:
            check.add(split, raw)
    return damaged + [problem for check in checks for problem in check.problems()]


class _Notes:
    """Counts what is no problem."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self.in_channels: dict[str, int] = {}

    def add(self, split: str, conversation: AnyConversation) -> None:  # noqa: ARG002
        self.in_channels = self.in_channels or {
            name: each.size(1) for name, each in conversation.features.items()
        }
        present = conversation.present
        self._counts["any modality"] += int((~torch.stack(list(present.values())).any(0)).sum())
        for name, here in present.items():
            self._counts[repr(name)] += int((~here).sum())
        known = labelled(conversation.y).view(len(conversation.y), -1).any(1)
        self._counts["a label"] += int((~known).sum())

    def problems(self) -> tuple[Problem, ...]:
        return ()

    def say(self) -> list[str]:
        return [f"utterances without {name}: {n}" for name, n in self._counts.items() if n]
