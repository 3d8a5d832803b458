"""The tuple layouts of published feature pickles: which element holds what."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from graphfusion._utils.counted import counted
from graphfusion.datasets.readers._safe_objects import Array

_TEXTS = ("text1", "text2", "text3", "text4")
SPLITS = ("train", "test", "dev")
# Tables that are dicts but not modalities; "further" and "sentiments" are ignored.
_PLAIN = ("ids", "speakers", "labels", "sentiments", "sentences", "further")


@dataclass(frozen=True)
class TupleLayout:
    """The layout of a tuple.

    Args:
        places: The name of each element: tables by conversation, and lists of ids by split.
        modalities: The elements that are modalities, in the order of the corpus.
    """

    places: tuple[str, ...]
    modalities: tuple[str, ...]


def _layout(places: str, modalities: Sequence[str] | None = None) -> TupleLayout:
    names = tuple(places.split())
    found = [name for name in names if name not in (*_PLAIN, *SPLITS)]
    return TupleLayout(names, tuple(modalities or found))


_HEAD, _TEXT = "ids speakers labels", " ".join(_TEXTS)
# Keys are run lengths of consecutive dicts ("d") and lists ("l").
_KNOWN = {
    # DialogueRNN, DialogueGCN, MMGCN, MM-DFN.
    "d7 l2": _layout(
        f"{_HEAD} text audio visual sentences train test", ("audio", "visual", "text")
    ),
    # The MELD of DialogueRNN and DialogueGCN.
    "d6 l2 d1": _layout(f"{_HEAD} text audio sentences train test sentiments", ("audio", "text")),
    # DialogueGCN's DailyDialog; "further" are dialogue acts.
    "d4 l3": _layout("speakers text further labels train test dev"),
    # COSMIC's IEMOCAP, EmoryNLP and DailyDialog; its MELD.
    "d7 l3": _layout(f"speakers labels {_TEXT} sentences train test dev"),
    "d8 l3": _layout(f"speakers labels sentiments {_TEXT} sentences train test dev"),
    # The IEMOCAP and MELD of SDT; the IEMOCAP of GraphSmile; its MELD.
    "d10 l2": _layout(
        f"{_HEAD} {_TEXT} audio visual sentences train test", ("audio", "visual", *_TEXTS)
    ),
    "d11 l2": _layout(
        f"{_HEAD} sentiments {_TEXT} audio visual sentences train test",
        ("audio", "visual", *_TEXTS),
    ),
}
# These may have one more element: a third list of ids, or anything else, which is ignored.
_LONGER = ("d7 l2", "d10 l2", "d11 l2")


def find_layout(fields: Sequence[object]) -> TupleLayout:
    """Identifies the layout of a tuple from its sequence of dicts and lists.

    Raises:
        ValueError: If no known layout matches.
    """
    kinds = [_kind(value) for value in fields[:16]]  # one more than the longest layout
    pattern = _pattern(kinds)
    if pattern == "d5 l3":
        raise ValueError(
            "the pickle must hold vectors, but has the shape of DialogueRNN's DailyDialog, whose "
            "utterances are word indices: extract features from its texts."
        )
    # Seven dicts and three lists are either COSMIC's layout, or MMGCN's with a third list.
    if pattern in _KNOWN and (pattern != "d7 l3" or _has_vectors(fields[2])):
        return _KNOWN[pattern]
    shorter = _pattern(kinds[:-1])
    if shorter in _LONGER and len(fields) <= 16:
        layout, last = _KNOWN[shorter], "third" if kinds[-1] == "l" else "further"
        return TupleLayout((*layout.places, last), layout.modalities)
    known = "; ".join(", ".join(layout.places) for layout in _KNOWN.values())
    got = ", ".join(_type_name(value) for value in fields[:16])
    raise ValueError(
        f"the pickle must hold a tuple of dicts by conversation and lists of ids, in one of "
        f"these orders: {known}; but got {counted(len(fields), 'element')}: {got}."
    )


def _pattern(kinds: Sequence[str]) -> str:
    """Encodes the run lengths of a sequence of kinds, such as "d7 l2"."""
    return " ".join(f"{kind}{len(list(run))}" for kind, run in groupby(kinds))


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "d"
    return "l" if isinstance(value, list | tuple | set | Array) else "?"


def _type_name(value: object) -> str:
    return {"d": "dict", "l": "list"}.get(_kind(value), type(value).__name__)


def _has_vectors(table: object) -> bool:
    """Returns whether a table holds vectors, as opposed to labels, for its utterances."""
    first = next(iter(table.values()), None) if isinstance(table, dict) else None
    if isinstance(first, Array):
        return first.array.ndim > 1
    return (
        isinstance(first, list | tuple)
        and bool(first)
        and isinstance(first[0], list | tuple | Array | np.ndarray)
    )
