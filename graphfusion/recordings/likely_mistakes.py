"""Likely mistakes in a valid table: names spelled in two ways, splits, files in two splits."""

from collections.abc import Iterator, Sequence

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
    persons = [
        f"{names} in {name!r}"
        for name, members in by_conversation(rows).items()
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


def _leaks(rows: list[Utterance]) -> Iterator[str]:
    found = []
    for path, members in by_file(rows).items():
        first = {each.split: each for each in reversed(members)}
        train = first.pop("train", None)
        if train is None:
            continue
        # A conversation in two splits is an error by itself.
        others = [each for each in first.values() if each.conversation != train.conversation]
        if others:
            places = " and ".join(f"in {each.split!r} (row {each.row})" for each in others)
            found.append(f"{path} is used in 'train' (row {train.row}) and {places}")
    if found:
        yield (
            "a file of 'train' must be in no other split, or scores are too high, but "
            f"{counted(len(found), 'file is', 'files are')}: {_first(found)}."
        )


def _first(examples: list[str]) -> str:
    more = len(examples) - _SHOWN
    return "; ".join(examples[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
