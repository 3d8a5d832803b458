"""The tuples in which the field passes its features around: what stands at which place."""

from collections.abc import Sequence
from dataclasses import dataclass

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
_MMGCN = _shape(f"{_HEAD} text audio visual sentences train test", ("audio", "visual", "text"))
_KNOWN = {
    # DialogueRNN, DialogueGCN, MMGCN, MM-DFN; a tenth element is a dict, or a third list of ids.
    "d7 l2": _MMGCN,
    "d7 l2 d1": _shape(" ".join(_MMGCN.places) + " further", _MMGCN.modalities),
    # DialogueRNN's MELD.
    "d6 l2 d1": _shape(f"{_HEAD} text audio sentences train test sentiments", ("audio", "text")),
    # COSMIC's IEMOCAP and DailyDialog; its MELD and EmoryNLP.
    "d7 l3": _shape(f"speakers labels {_TEXT} sentences train test dev"),
    "d8 l3": _shape(f"speakers labels sentiments {_TEXT} sentences train test dev"),
    # M3NET's and MultiEMO's IEMOCAP and MELD.
    "d10 l2": _shape(
        f"{_HEAD} {_TEXT} audio visual sentences train test", ("audio", "visual", *_TEXTS)
    ),
    "d11 l2 d1": _shape(
        f"{_HEAD} sentiments {_TEXT} audio visual sentences train test further",
        ("audio", "visual", *_TEXTS),
    ),
}
_KNOWN["d11 l2"] = Shape(_KNOWN["d11 l2 d1"].places[:-1], _KNOWN["d11 l2 d1"].modalities)


def find_shape(fields: tuple[object, ...]) -> Shape:
    """Tells a tuple's shape from its dicts and lists.

    Raises:
        ValueError: If it is none that is known.
    """
    kinds = [_kind(value) for value in fields[:16]]
    if len(kinds) == 10 and kinds[:9] == ["d"] * 7 + ["l"] * 2 and kinds[9] != "l":
        kinds[9] = "d"  # whatever else stands there, it is not taken over
    runs: list[list[object]] = []
    for kind in kinds:
        if runs and runs[-1][0] == kind:
            runs[-1][1] = int(str(runs[-1][1])) + 1
        else:
            runs.append([kind, 1])
    pattern = " ".join(f"{kind}{count}" for kind, count in runs)
    if pattern == "d7 l3" and not _holds_vectors(fields[2]):
        return Shape((*_MMGCN.places, "third"), _MMGCN.modalities)
    if len(fields) > 16 or pattern not in _KNOWN:
        known = "; ".join(", ".join(shape.places) for shape in _KNOWN.values())
        got = ", ".join(_word(value) for value in fields[:16])
        raise ValueError(
            f"the pickle must hold a tuple of dicts by conversation and lists of ids, in one of "
            f"these orders: {known}; but got {len(fields)} elements: {got}."
        )
    return _KNOWN[pattern]


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
