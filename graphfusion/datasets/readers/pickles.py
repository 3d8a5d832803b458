"""Reads published feature pickles: tuples of dicts keyed by conversation, or dicts of splits."""

from collections.abc import Mapping, Sequence
from itertools import chain, count
from os import PathLike
from typing import Unpack

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from graphfusion.data.labels import MISSING
from graphfusion.datasets._make import make_corpus
from graphfusion.datasets.checks.problems import violations
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._contents import Contents, Finish, RawConversation, T
from graphfusion.datasets.readers._labels import label_kind, to_y
from graphfusion.datasets.readers._options import Options, ReaderKwargs
from graphfusion.datasets.readers._reading import (
    FormatError,
    conversation_context,
    number_speakers,
    open_file,
)
from graphfusion.datasets.readers._safe_objects import Budget
from graphfusion.datasets.readers._splits import find_splits
from graphfusion.datasets.readers._tables import (
    Key,
    entries,
    fill_absent,
    label_values,
    matrix,
    sequence,
    speakers_of,
)
from graphfusion.datasets.readers._tuple_layouts import find_layout
from graphfusion.datasets.readers._unpickler import Unpickler
from graphfusion.datasets.readers._vectors import to_features
from graphfusion.datasets.readers.mmsa import read_splits


def load_pickle(path: str | PathLike[str], **options: Unpack[ReaderKwargs]) -> Corpus:
    """Loads a corpus from a pickle in one of the layouts of published research code.

    The pickle holds MMSA's dict of splits; or a tuple or list of tables and lists of ids. A table
    is a dict from a conversation's id to one entry per utterance; a list of ids is a split. The
    layout is inferred from the order of dicts and lists, see :doc:`/reference/file_formats`:

    - DialogueRNN, DialogueGCN, MMGCN, MM-DFN: ids, speakers, labels, text, audio, visual,
      sentences, train, test;
    - the MELD of DialogueRNN and DialogueGCN: ids, speakers, labels, text, audio, sentences, train,
      test, sentiments;
    - DialogueGCN's DailyDialog: speakers, text, dialogue acts, labels, train, test, dev;
    - COSMIC: speakers, labels, (sentiments,) four vectors of text, sentences, train, test, dev;
    - SDT, GraphSmile: ids, speakers, labels, (sentiments,) four vectors of text, audio, visual,
      sentences, train, test;
    - MMSA: `{"train", "valid", "test": {"id", "regression_labels", "text", "audio", "vision"}}`.

    The first and the fifth layout may have one more element at the end. It is a third split if it
    lists known ids, and is ignored otherwise.

    Features are vectors of numbers, or None where missing. Several vectors of text become the
    modalities `text1` to `text4`. A modality whose table is empty is left out. Speakers are names,
    integers or one-hot rows. Integer labels are classes, -1, -100 or None where missing; all of 0
    to C - 1 must occur. The file has no class names, so they are "0", "1" and so on. Float labels
    are scores, None or NaN where missing; the corpus then has no classes.

    Args:
        path: The path of the file.
        **options: Settings that the file does not store. `labels="classes"` or `"scores"`: the
            kind of the labels. `missing="nan"`: vectors that are all NaN are absent.
            `frames="mean"`: features may be frames `[T, d]` and are averaged over T, excluding
            all-zero frames, which are padding. `splits`: the names of a tuple's lists of ids in
            order, such as `("train", "dev", "test")`, if they cannot be inferred.

    Raises:
        FormatError: If the file is invalid, or holds anything but plain containers and NumPy arrays
            of numbers or strings. No code in it is run, and reading takes at most 1032 times the
            file's size plus 32 MiB of memory.
        OSError: If the file cannot be opened.
    """
    return read_pickle(path, make_corpus, Options(**options))


def read_pickle(path: str | PathLike[str], finish: Finish[T], options: Options) -> T:
    """Reads a pickle and returns `finish` applied to its contents."""
    with open_file(path) as data:
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
    layout = find_layout(fields)
    places = dict(zip(layout.places, fields, strict=False))
    tables = {name: value for name, value in places.items() if isinstance(value, dict)}
    splits = find_splits(places, tables["labels"], options.splits)
    used = list(chain(*splits.values()))

    # All labels first: they determine the kind of the labels and the number of classes.
    labels: dict[Key, NDArray[np.float64]] = {}
    types: set[type] = set()
    for key in used:
        with conversation_context(str(key)):
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
        with conversation_context(str(key)):
            y[key] = to_y(kind, values, integers)
    classes = _classes(y) if kind == "classes" else ()
    modalities = [name for name in layout.modalities if tables[name]]
    if not modalities:
        raise ValueError("the file must have a modality, but the tables of all are empty.")

    def conversation(key: Key) -> RawConversation:
        size = len(labels[key])
        arrays, masks = {}, {}
        with conversation_context(str(key)):
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
    """Returns the class names "0", "1" and so on, after checking that no number is skipped."""
    found: set[int] = set()
    for key, labels in y.items():
        rule = f"labels must not be negative, except for -1 and {MISSING}, which are missing"
        for problem in violations(str(key), "y", rule, (labels < 0) & (labels != MISSING), labels):
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
