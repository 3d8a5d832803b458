"""The field's pickles: a tuple of dicts keyed by conversation, or a dict of splits."""

from collections.abc import Mapping, Sequence
from itertools import chain, count
from os import PathLike
from typing import Unpack

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from graphfusion.data.labels import MISSING
from graphfusion.datasets._make import make_corpus
from graphfusion.datasets.checks.problems import search
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._contents import Contents, Finish, RawConversation, T
from graphfusion.datasets.readers._labels import label_kind, to_y
from graphfusion.datasets.readers._options import Asked, Options
from graphfusion.datasets.readers._reading import FormatError, about, number_speakers, reading
from graphfusion.datasets.readers._shapes import find_shape
from graphfusion.datasets.readers._splits import find_splits
from graphfusion.datasets.readers._stand_ins import Budget
from graphfusion.datasets.readers._tables import (
    Key,
    entries,
    fill_absent,
    label_values,
    matrix,
    sequence,
    speakers_of,
)
from graphfusion.datasets.readers._unpickler import Unpickler
from graphfusion.datasets.readers._vectors import to_features
from graphfusion.datasets.readers.mmsa import read_splits


def load_pickle(path: str | PathLike[str], **options: Unpack[Asked]) -> Corpus:
    """Reads a corpus from a pickle as the field passes them around.

    The pickle holds a tuple or list of tables, dicts from a conversation's id to one entry per
    utterance, and of lists of ids, one for each split; or MMSA's dict of splits. Which of these it
    is, is found from its dicts and lists (:doc:`/reference/file_formats` has a table):

    - DialogueRNN, DialogueGCN, MMGCN, MM-DFN: ids, speakers, labels, text, audio, visual,
      sentences, train, test;
    - the MELD of DialogueRNN and DialogueGCN: ids, speakers, labels, text, audio, sentences, train,
      test, sentiments;
    - DialogueGCN's DailyDialog: speakers, text, dialogue acts, labels, train, test, dev;
    - COSMIC: speakers, labels, (sentiments,) four vectors of text, sentences, train, test, dev;
    - SDT, GraphSmile: ids, speakers, labels, (sentiments,) four vectors of text, audio, visual,
      sentences, train, test;
    - MMSA: `{"train", "valid", "test": {"id", "regression_labels", "text", "audio", "vision"}}`.

    The first and the fifth may have a last element more, which is not taken over, unless it lists
    known ids, which make a third split.

    Features are vectors of numbers, or None where an utterance has none; several of text are
    modalities of their own, `text1` to `text4`. A modality whose table is empty is left out.
    Speakers are names, integers or one-hot rows. Labels are integers, -1, -100 or None where
    missing, and all of 0 to C - 1 occur: the file names no classes, so they are called "0", "1" and
    so on. Or they are floats, None or NaN where missing: scores, and the corpus has no classes.

    Args:
        path: The file.
        **options: What the file does not say itself. `labels="classes"` or `"scores"`: what the
            labels are. `missing="nan"`: vectors of nothing but NaN are absent. `frames="mean"`:
            features may be frames `[T, d]` and are averaged over T, less the frames of nothing but
            zeros, which are padding. `splits`: the names of a tuple's lists of ids in their order,
            such as `("train", "dev", "test")`, where the file does not say.

    Raises:
        FormatError: If anything in the file is wrong, or it holds anything but numpy arrays of
            numbers or strings and plain containers. Nothing in it runs as code, and all of it takes
            at most 1032 times the file's size and 32 MiB.
        OSError: If it cannot be opened.
    """
    return read_pickle(path, make_corpus, Options(**options))


def read_pickle(path: str | PathLike[str], finish: Finish[T], options: Options) -> T:
    """Makes something of what the file has, once it is cut into conversations."""
    with reading(path) as data:
        held = Unpickler(data).load()
        budget = Budget(len(data))
        if isinstance(held, dict):
            return finish(read_splits(held, budget, options))
        if not isinstance(held, tuple | list):
            raise ValueError(
                "the pickle must hold a tuple or list of dicts and lists, or a dict of splits, but "
                f"got {type(held).__name__}."
            )
        return finish(_contents(held, budget, options))


def _contents(fields: Sequence[object], budget: Budget, options: Options) -> Contents:
    shape = find_shape(fields)
    places = dict(zip(shape.places, fields, strict=False))
    tables = {name: value for name, value in places.items() if isinstance(value, dict)}
    splits = find_splits(places, tables["labels"], options.splits)
    used = list(chain(*splits.values()))

    # All labels first: they say what they are, and how many classes there are.
    labels: dict[Key, NDArray[np.float64]] = {}
    types: set[type] = set()
    for key in used:
        with about(str(key)):
            size = len(sequence(tables, "ids" if "ids" in tables else "speakers", key))
            if size == 0:
                raise ValueError("the conversation must have an utterance, but has none.")
            budget.spend(size)
            if key in tables.get("sentences", ()):
                entries(tables, "sentences", key, size, budget)
            labels[key], found = label_values(entries(tables, "labels", key, size, budget))
            types |= found
    integers = types == {int}
    together = np.concatenate([*labels.values(), np.empty(0)])
    kind = label_kind(together, integers, False, options.labels)
    y = {}
    for key, values in labels.items():
        with about(str(key)):
            y[key] = to_y(kind, values, integers)
    classes = _classes(y) if kind == "classes" else ()
    modalities = [name for name in shape.modalities if tables[name]]
    if not modalities:
        raise ValueError("the file must have a modality, but the tables of all are empty.")

    def conversation(key: Key) -> RawConversation:
        size = len(labels[key])
        arrays, masks = {}, {}
        with about(str(key)):
            for name in modalities:
                values = entries(tables, name, key, size, budget)
                arrays[name], masks[name] = matrix(name, values, budget, options)
            speakers = speakers_of(entries(tables, "speakers", key, size, budget), budget)
        features, present = to_features(arrays, masks, options)
        return RawConversation(str(key), features, number_speakers(speakers), y[key], present)

    conversations = {split: [conversation(key) for key in keys] for split, keys in splits.items()}
    fill_absent(list(chain(*conversations.values())), budget)
    unused = tuple(str(key) for key in tables["labels"] if key not in labels)
    return Contents(classes, conversations, unused)


def _classes(y: Mapping[Key, Tensor]) -> tuple[str, ...]:
    """The classes' names, "0" and so on, if the labels number them without a gap."""
    found: set[int] = set()
    for key, labels in y.items():
        rule = f"labels must not be negative, but for -1 and {MISSING}, which are missing"
        for problem in search(str(key), "y", rule, (labels < 0) & (labels != MISSING), labels):
            raise FormatError.of([problem])
        found |= set(labels[labels != MISSING].tolist())
    gap = next(label for label in count() if label not in found)
    for key, labels in y.items():
        if labels.max() > gap:
            raise ValueError(
                f"conversation {str(key)!r}: labels must leave no gaps, but it has "
                f"{int(labels.max())} and no conversation has {gap}."
            )
    return tuple(str(label) for label in range(gap))
