"""The tuples in which the field passes its features around: what stands at which place."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from graphfusion.datasets.readers._stand_ins import Array

_TEXTS = ("text1", "text2", "text3", "text4")
SPLITS = ("train", "test", "dev")
# Tables that are dicts but no modality; "further" and "sentiments" are not taken over.
_PLAIN = ("ids", "speakers", "labels", "sentiments", "sentences", "further")


@dataclass(frozen=True)
class Shape:
    """A tuple's places.

    Args:
        places: What stands at each: tables by conversation, and lists of ids by split.
        modalities: Those of the places that are modalities, in the corpus's order.
    """

    places: tuple[str, ...]
    modalities: tuple[str, ...]


def _shape(places: str, modalities: Sequence[str] | None = None) -> Shape:
    names = tuple(places.split())
    found = [name for name in names if name not in (*_PLAIN, *SPLITS)]
    return Shape(names, tuple(modalities or found))


_HEAD, _TEXT = "ids speakers labels", " ".join(_TEXTS)
# By the numbers of dicts ("d") and lists ("l") in a row.
_KNOWN = {
    # DialogueRNN, DialogueGCN, MMGCN, MM-DFN.
    "d7 l2": _shape(f"{_HEAD} text audio visual sentences train test", ("audio", "visual", "text")),
    # The MELD of DialogueRNN and DialogueGCN.
    "d6 l2 d1": _shape(f"{_HEAD} text audio sentences train test sentiments", ("audio", "text")),
    # DialogueGCN's DailyDialog; what it has besides the emotions are dialogue acts.
    "d4 l3": _shape("speakers text further labels train test dev"),
    # COSMIC's IEMOCAP, EmoryNLP and DailyDialog; its MELD.
    "d7 l3": _shape(f"speakers labels {_TEXT} sentences train test dev"),
    "d8 l3": _shape(f"speakers labels sentiments {_TEXT} sentences train test dev"),
    # The IEMOCAP and MELD of SDT; the IEMOCAP of GraphSmile; its MELD.
    "d10 l2": _shape(
        f"{_HEAD} {_TEXT} audio visual sentences train test", ("audio", "visual", *_TEXTS)
    ),
    "d11 l2": _shape(
        f"{_HEAD} sentiments {_TEXT} audio visual sentences train test",
        ("audio", "visual", *_TEXTS),
    ),
}
# These may have an element more: a third list of ids, or whatever else, which is not taken over.
_LONGER = ("d7 l2", "d10 l2", "d11 l2")


def find_shape(fields: Sequence[object]) -> Shape:
    """Finds a tuple's shape by its dicts and lists.

    Raises:
        ValueError: If it is none that is known.
    """
    kinds = [_kind(value) for value in fields[:16]]  # one more than any has
    pattern = _pattern(kinds)
    if pattern == "d5 l3":
        raise ValueError(
            "the pickle must hold vectors, but has the shape of DialogueRNN's DailyDialog, whose "
            "utterances are numbers of words: extract features from its texts."
        )
    # Seven dicts and three lists are COSMIC's, or MMGCN's and a list more.
    if pattern in _KNOWN and (pattern != "d7 l3" or _holds_vectors(fields[2])):
        return _KNOWN[pattern]
    shorter = _pattern(kinds[:-1])
    if shorter in _LONGER and len(fields) <= 16:
        shape, last = _KNOWN[shorter], "third" if kinds[-1] == "l" else "further"
        return Shape((*shape.places, last), shape.modalities)
    known = "; ".join(", ".join(shape.places) for shape in _KNOWN.values())
    got = ", ".join(_word(value) for value in fields[:16])
    raise ValueError(
        f"the pickle must hold a tuple of dicts by conversation and lists of ids, in one of "
        f"these orders: {known}; but got {len(fields)} elements: {got}."
    )


def _pattern(kinds: Sequence[str]) -> str:
    """How many of which kind stand in a row: "d7 l2"."""
    return " ".join(f"{kind}{len(list(run))}" for kind, run in groupby(kinds))


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "d"
    return "l" if isinstance(value, list | tuple | set | Array) else "?"


def _word(value: object) -> str:
    return {"d": "dict", "l": "list"}.get(_kind(value), type(value).__name__)


def _holds_vectors(table: object) -> bool:
    """Whether a table has vectors, and not labels, for the utterances of its conversations."""
    first = next(iter(table.values()), None) if isinstance(table, dict) else None
    if isinstance(first, Array):
        return first.array.ndim > 1
    return (
        isinstance(first, list | tuple)
        and bool(first)
        and isinstance(first[0], list | tuple | Array | np.ndarray)
    )
