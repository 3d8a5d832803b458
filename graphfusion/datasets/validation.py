"""Validates files of conversations."""

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
from graphfusion.datasets.checks.problems import AnyConversation, Check, Problem, Splits, ValueCheck
from graphfusion.datasets.checks.quality import quality_checks
from graphfusion.datasets.checks.summary import describe_corpus, unused_message
from graphfusion.datasets.readers._options import LoadKwargs
from graphfusion.datasets.readers._reading import FormatError
from graphfusion.datasets.storage.file_split import FileSplit, open_splits
from graphfusion.datasets.storage.source import Source
from graphfusion.datasets.storage.store import Store


def validate(path: str | PathLike[str], **options: Unpack[LoadKwargs]) -> list[Problem]:
    """Lists every problem of a file of conversations.

    This includes problems that :func:`load` accepts. It also checks that

    - every class has an example in "train";
    - every split has a conversation, every conversation is in a split, and the splits can be used
      for training;
    - speakers are numbered by first appearance;
    - no two conversations have the same features;
    - no utterance has a vector that is all zeros, which often marks a failed extraction;
    - no column repeats a value far from all of its others, such as -999 for what is missing;
    - no column is constant in "train" alone, or varies so little there that
      :class:`~graphfusion.Standardize` clips it.

    All values and checksums of all conversations are checked. A problem that prevents a file from
    being split into conversations is listed alone, since the others cannot be checked until it is
    fixed. In a pickle, this is the first conversation that cannot be read.

    Args:
        path: The path of the file.
        **options: See :func:`load`.

    Returns:
        The problems; empty if the file is valid.

    Raises:
        ImportError: If the file needs safetensors and that is not installed.
        OSError: If the file cannot be opened.
    """
    return examine(path, options).problems


@dataclass
class Report:
    """The result of validating a file.

    Args:
        problems: Every problem.
        content: A one-line description of the corpus.
        notes: Counts of missing modalities and labels, which are not problems.
    """

    problems: list[Problem]
    content: str = ""
    notes: tuple[str, ...] = ()


def load_problems(path: str | PathLike[str]) -> list[Problem]:
    """Lists the problems that prevent a safetensors file from being loaded completely.

    Raises:
        FormatError: If the file cannot be opened as a corpus.
    """
    store = Store(Source(path))
    classes, splits = tuple(store.header["classes"]), open_splits(store)
    checks: list[Check] = [ValueCheck(), Consistency(classes, splits)]
    return _run_checks(splits, checks, silent)


def examine(path: str | PathLike[str], options: LoadKwargs, progress: Progress = silent) -> Report:
    """Reads a file of any size once, and returns its problems and a description."""
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
    splits: Mapping[str, FileSplit] | Splits,
    unused: Sequence[str],
    progress: Progress,
) -> Report:
    notes, consistency = _MissingCounts(), Consistency(classes, splits)
    checks: list[Check] = [ValueCheck(), consistency, *quality_checks(classes, splits), notes]
    found = _run_checks(splits, checks, progress)
    first = [Problem(None, "splits", unused_message(unused))] if unused else []
    content = describe_corpus(
        {split: len(each) for split, each in splits.items()}, notes.in_channels, consistency.spec
    )
    return Report(first + found, content, tuple(notes.notes()))


def _run_checks(
    splits: Mapping[str, FileSplit] | Splits, checks: Sequence[Check], progress: Progress
) -> list[Problem]:
    """Runs checks on conversations, reading each once; damaged ones are problems, too."""
    damaged: list[Problem] = []
    total = sum(map(len, splits.values()))
    members = ((split, place) for split, each in splits.items() for place in range(len(each)))
    for split, place in progress(members, total):
        try:
            source = splits[split]
            raw = source.raw(place) if isinstance(source, FileSplit) else source[place]
        except FormatError as error:
            damaged += error.problems
            continue
        for check in checks:
            check.add(split, raw)
    return damaged + [problem for check in checks for problem in check.problems()]


class _MissingCounts:
    """Counts utterances without features or labels, which are not problems."""

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

    def notes(self) -> list[str]:
        return [f"utterances without {name}: {n}" for name, n in self._counts.items() if n]
