"""Likely mistakes in a valid table: names spelled in two ways, splits, files in two splits."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from graphfusion._utils.counted import counted
from graphfusion.datasets.checks.labels import alike, typos
from graphfusion.datasets.checks.splits import wrong_names
from graphfusion.recordings.grouped import grouped
from graphfusion.recordings.problems import name_rows
from graphfusion.recordings.table import Utterance, by_conversation, by_file, labels_of

_SHOWN = 3  # maximum number of examples in a warning


def likely_mistakes(rows: list[Utterance], classes: Sequence[str] | None) -> Iterator[str]:
    """Yields a warning for each kind of likely mistake in a table that is valid.

    Args:
        rows: The rows of the table.
        classes: The names of the classes; None: any labels.
    """
    names = (str(label) for _, label in labels_of(rows))
    if classes is None and (typo := typos("label", names)):
        yield typo
    conversations = by_conversation(rows)
    if similar := alike(conversations):
        yield (
            f"conversation has names that differ in case or spaces only: {_first(similar)}; if "
            "they are the same conversation, change the table."
        )
    persons = [
        f"{names} in {name!r}"
        for name, members in conversations.items()
        for names in alike(each.speaker for each in members)
    ]
    if persons:
        yield (
            f"speaker has names that differ in case or spaces only: {_first(persons)}; if they are "
            "the same person, change the table."
        )
    splits = grouped((each.split, each.row) for each in rows)
    for problem in wrong_names({name: len(members) for name, members in splits.items()}):
        others = [name for name in splits if name not in ("train", "test")]
        places = ", ".join(f"{name!r} in {name_rows(splits[name])}" for name in others)
        yield f"the table {problem.removesuffix('.')}: {places}."
    yield from _leaks(rows)
    if restarted := [each for own in conversations.values() for each in _restarts(own)]:
        yield (
            "the times of a conversation must go on, but start again in another file; files of "
            f"one name need different names of conversations: {_first(restarted)}."
        )


def _restarts(rows: list[Utterance]) -> Iterator[str]:
    """Yields where a file begins before the end of the one before, each of several utterances."""
    timed = [
        (each, each.audio or each.video, each.start) for each in rows if each.start is not None
    ]
    sizes = Counter(path for _, path, _ in timed)
    for (before, old, last), (each, new, start) in pairwise(timed):
        if start < last and old != new and sizes[old] > 1 and sizes[new] > 1:
            yield f"{each.conversation!r} in rows {before.row} and {each.row}"


def _leaks(rows: list[Utterance]) -> Iterator[str]:
    found = []
    for path, members in by_file(rows).items():
        first = {each.split: each for each in reversed(members)}
        known, *others = sorted(first.values(), key=lambda each: (each.split != "train", each.row))
        # A conversation in two splits is an error by itself.
        others = [each for each in others if each.conversation != known.conversation]
        if others:
            places = " and ".join(f"in {each.split!r} (row {each.row})" for each in others)
            found.append(f"{path} is used in {known.split!r} (row {known.row}) and {places}")
    if found:
        yield (
            "a file must be in one split only, or scores are too high, but "
            f"{counted(len(found), 'file is', 'files are')}: {_first(found)}."
        )


def _first(examples: Sequence[object]) -> str:
    more = len(examples) - _SHOWN
    return "; ".join(map(str, examples[:_SHOWN])) + (f"; and {more} more" if more > 0 else "")
