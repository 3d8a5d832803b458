"""The field's pickles: a tuple of dicts keyed by conversation, as Python 2 scripts wrote them."""

from collections.abc import Hashable, Mapping
from itertools import chain, count
from os import PathLike
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from graphfusion.data.conversation import Conversation
from graphfusion.datasets._reading import about, make_conversation, reading, to_float32
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._stand_ins import Array, Budget, plain
from graphfusion.datasets.readers._unpickler import Unpickler
from graphfusion.datasets.sentiment import SENTIMENTS, cut

_Key: TypeAlias = str | int
_Table: TypeAlias = dict[Any, Any]

_TABLES = ("ids", "speakers", "labels", "text", "audio", "visual", "sentences")
_MODALITIES = ("audio", "visual", "text")  # the corpus's order, which is not the file's


def load_pickle(path: str | PathLike[str]) -> Corpus:
    """Reads a corpus from a pickle as the field passes them around for IEMOCAP and MELD.

    The pickle holds a tuple: utterance ids, speakers, labels, text, audio, visual, sentences (dicts
    from a conversation's id to one entry per utterance), ids of the training and of the test
    conversations; a tenth element is ignored. Features are vectors of numbers; speakers are names,
    integers or one-hot rows; labels are integers, and all of 0 to C - 1 occur. The corpus has the
    splits "train" and "test" and the modalities audio, visual and text, less those whose dict is
    empty. The file names no classes, so they are called "0", "1" and so on. If all labels are
    floats, as CMU-MOSEI's are, they become the conversations' attribute `score` `[U]`, and the
    classes are the seven of sentiment that :class:`MOSEI` describes.

    Args:
        path: The file.

    Raises:
        FormatError: If anything in the file is wrong, or it holds anything but numpy arrays of
            numbers or strings and plain containers. Nothing in it runs as code.
        OSError: If it cannot be opened.
    """
    with reading(path) as data:
        return _corpus(Unpickler(data).load(), Budget(len(data)))


def _corpus(fields: object, budget: Budget) -> Corpus:
    if not isinstance(fields, tuple) or len(fields) not in (9, 10):
        got = f"{len(fields)}" if isinstance(fields, tuple) else type(fields).__name__
        raise ValueError(f"the pickle must hold a tuple of 9 or 10 elements, but got {got}.")
    tables = dict(zip(_TABLES, fields, strict=False))
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"{name} must be a dict, but got {type(table).__name__}.")
    modalities = [name for name in _MODALITIES if tables[name]]
    splits = {"train": _ids("train", fields[7]), "test": _ids("test", fields[8])}

    # All labels first: they tell how many classes there are.
    labels: dict[_Key, list[Any]] = {}
    for key in chain(*splits.values()):
        with about(str(key)):
            size = len(_sequence(tables, "ids", key))
            if size == 0:
                raise ValueError("ids must name an utterance, but got none.")
            budget.spend(size)
            if key in tables["sentences"]:
                _entries(tables, "sentences", key, size, budget)
            labels[key] = _entries(tables, "labels", key, size, budget)
    scored = {type(label) for label in chain(*labels.values())} == {float}
    classes = SENTIMENTS[7] if scored else _classes(labels)

    def conversation(key: _Key) -> Conversation:
        size = len(labels[key])
        y, score = labels[key], None
        with about(str(key)):
            if scored:
                score = to_float32("labels", np.array(labels[key]))
                y = cut(torch.from_numpy(score), 7).tolist()
            features = {
                name: _matrix(name, _entries(tables, name, key, size, budget), budget)
                for name in modalities
            }
            speakers = _speakers(_entries(tables, "speakers", key, size, budget), budget)
            return make_conversation(str(key), features, speakers, y, score)

    return Corpus(
        classes, {split: [conversation(key) for key in keys] for split, keys in splits.items()}
    )


def _ids(split: str, value: object) -> list[_Key]:
    if isinstance(value, set):
        value = sorted(value)  # a set's own order may change from run to run
    if not isinstance(value, list | tuple) or not all(type(key) in (str, int) for key in value):
        raise ValueError(
            f"the {split} ids must be a list, tuple or set of strings or integers, but got "
            f"{type(value).__name__}."
        )
    return list(value)


def _sequence(
    tables: Mapping[str, _Table], name: str, key: _Key
) -> list[Any] | tuple[Any, ...] | NDArray[Any]:
    if key not in tables[name]:
        raise ValueError(f"{name} must have the conversation, but does not.")
    value = _unwrap(tables[name][key])
    if not isinstance(value, list | tuple | np.ndarray):
        raise ValueError(f"{name} must be a list or an array, but got {type(value).__name__}.")
    return value


def _entries(
    tables: Mapping[str, _Table], name: str, key: _Key, size: int, budget: Budget
) -> list[Any]:
    """What a table has for a conversation, one an utterance: a scalar, list, tuple or array."""
    values = _sequence(tables, name, key)
    if len(values) != size:
        raise ValueError(
            f"{name} must have one entry per utterance ({size}), but has {len(values)}."
        )
    if isinstance(values, np.ndarray):
        if values.dtype.kind in "SU":  # strings are copied, and may be as long as the file
            budget.spend(values.nbytes)
        return values.tolist() if values.ndim == 1 else list(values)
    return [_unwrap(value) for value in values]


def _unwrap(value: object) -> object:
    return np.atleast_1d(value.array) if isinstance(value, Array) else value


def _classes(labels: Mapping[_Key, list[Any]]) -> tuple[str, ...]:
    for key, values in labels.items():
        with about(str(key)):
            _check_labels(values)
            plain(values)
    found = set(chain(*labels.values()))
    gap = next(label for label in count() if label not in found)
    for key, values in labels.items():
        if max(values) > gap:
            raise ValueError(
                f"conversation {str(key)!r}: labels must leave no gaps, but it has {max(values)} "
                f"and no conversation has {gap}."
            )
    return tuple(str(label) for label in range(gap))


def _check_labels(labels: list[Any]) -> None:
    for utterance, label in enumerate(labels):
        if type(label) is not int or label < 0:
            got = label if type(label) is int else type(label).__name__
            raise ValueError(
                f"labels must be integers and not negative, but utterance {utterance} has {got}."
            )


def _matrix(name: str, entries: list[Any], budget: Budget) -> NDArray[Any]:
    """Stacks the vectors of a conversation's utterances: `[U, d]`."""
    vectors: list[NDArray[Any]] = []
    for utterance, entry in enumerate(entries):
        vector = _vector(entry, budget)
        if vector is None:
            raise ValueError(
                f"{name} must be vectors of numbers, but utterance {utterance}'s is none."
            )
        if vectors and len(vector) != len(vectors[0]):
            raise ValueError(
                f"{name} must be vectors of one size, but utterance {utterance}'s has "
                f"{len(vector)} numbers and the first {len(vectors[0])}."
            )
        vectors.append(vector)
    return np.stack(vectors)


def _vector(entry: object, budget: Budget) -> NDArray[Any] | None:
    if not isinstance(entry, list | tuple | np.ndarray) or len(entry) == 0:
        return None
    budget.spend(len(entry))
    if isinstance(entry, np.ndarray):
        return entry if entry.ndim == 1 and entry.dtype.kind in "biuf" else None
    # Numbers only: numpy would walk whatever is nested in them, however deep or often repeated.
    if not all(type(number) in (int, float, bool) for number in entry):
        return None
    try:
        return np.array(entry, np.float64)
    except OverflowError:  # an integer of hundreds of digits
        return None


def _speakers(entries: list[Any], budget: Budget) -> list[Hashable]:
    kinds = {type(entry) for entry in entries}
    if kinds in ({str}, {bytes}, {int}):
        return list(plain(entries))
    rows = _matrix("speakers", entries, budget)
    (bad,) = np.nonzero(((rows == 1).sum(1) != 1) | ((rows == 0).sum(1) != rows.shape[1] - 1))
    if bad.size:
        raise ValueError(f"speakers must be one-hot rows, but utterance {bad[0]}'s is not.")
    numbers: list[Hashable] = rows.argmax(1).tolist()
    return numbers
