"""Reads .npz files with one row per utterance."""

from collections.abc import Sequence
from itertools import groupby
from os import PathLike
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from graphfusion.datasets._make import make_corpus
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._archive import Archive
from graphfusion.datasets.readers._contents import Contents, Finish, RawConversation, T
from graphfusion.datasets.readers._labels import Kind, check_positions, label_kind, to_score, to_y
from graphfusion.datasets.readers._npz_layout import (
    Layout,
    check_cost,
    read_layout,
)
from graphfusion.datasets.readers._options import Options, ReaderKwargs
from graphfusion.datasets.readers._reading import conversation_context, number_speakers, open_file
from graphfusion.datasets.readers._vectors import to_features


def load_npz(path: str | PathLike[str], **options: Unpack[ReaderKwargs]) -> Corpus:
    """Loads a corpus from an .npz file without pickled objects, as `numpy.savez` writes it.

    Its arrays have one row per utterance; the utterances of a conversation are contiguous:

    - `dialogue`: the id of the conversation.
    - `speaker`: a name.
    - `split`: a name, the same for a whole conversation. "train" must occur.
    - `label`: integers are class numbers, -1 or -100 where missing. Floats are class numbers if
      there are `classes`, and scores otherwise, NaN where missing. A corpus of scores has no
      classes. Multilabel `[U, K]`: a column of 1 and 0, or of bools, for each of the `classes`,
      missing in the same ways. With a single class, the column must be of bools.
    - Every other array of floats is a modality `[U, d]`, in the file's order.
    - `has_NAME`: bools, the presence mask of the modality NAME. Or `present`: bools `[U, M]`, the
      masks of all modalities, in their order.
    - `score`: a score in addition to the class, stored as the conversations' `score` `[U]`.
    - `turn`: integers that must increase within each conversation.
    - `utt` and further strings are ignored. Anything else is refused.

    Args:
        path: The path of the file.
        **options: Settings that the file does not store. `labels="classes"` or `"scores"`: the
            kind of the labels; with "scores", the array `score`, if there is one, is used as label.
            `missing="nan"`: vectors that are all NaN are absent. `frames="mean"`: modalities may
            be `[U, T, d]` and are averaged over T, excluding all-zero frames, which are padding.

    Raises:
        FormatError: If the file is invalid. Declared sizes are checked before anything is
            allocated. Reading takes at most 1032 times the file's size plus 32 MiB of memory.
        OSError: If the file cannot be opened.
    """
    return read_npz(path, make_corpus, Options(**options))


def read_npz(path: str | PathLike[str], finish: Finish[T], options: Options) -> T:
    """Reads an .npz file and returns `finish` applied to its contents."""
    if options.splits is not None:
        raise ValueError(
            f"splits must be left out for an .npz file, which names its own, but got "
            f"{options.splits!r} for {path}."
        )
    with open_file(path) as data:
        archive = Archive(data)
        layout = read_layout(archive.headers, options)
        check_cost(archive.headers, layout, 1, len(data))
        return finish(_contents(archive, layout, options, len(data)))


def _contents(archive: Archive, layout: Layout, options: Options, size: int) -> Contents:
    dialogue, speaker, split = (_names(archive.read(n)) for n in ("dialogue", "speaker", "split"))
    runs = _runs(dialogue, split, _optional(archive, "turn"))
    check_cost(archive.headers, layout, len(runs), size)
    classes = tuple(_names(archive.read("classes"))) if layout.named else ()
    score = _optional(archive, "score")
    if options.labels == "scores" and score is not None:
        label, score = score, None
    else:
        label = archive.read("label")
        label = label if layout.multilabel else label.reshape(-1)
    integers = label.dtype.kind in "iu"
    values = label.astype(np.float64)
    kind: Kind = "multilabel"
    if not layout.multilabel:
        kind = label_kind(values, integers, layout.named, options.labels)
        if kind == "classes":
            check_positions(classes)
    masks = _masks(archive, layout)
    parts = _features(archive, layout, runs, masks, options)

    splits: dict[str, list[RawConversation]] = {}
    for (name, rows), (features, present) in zip(runs, parts, strict=True):
        with conversation_context(name):
            y = to_y(kind, values[rows], integers)
        raw = RawConversation(
            name,
            features,
            number_speakers(speaker[rows]),
            y,
            present,
            None if score is None else to_score(score[rows]),
        )
        splits.setdefault(split[rows.start], []).append(raw)
    return Contents(() if kind == "scores" else classes, splits)


def _runs(
    dialogue: Sequence[str], split: Sequence[str], turn: NDArray[Any] | None
) -> list[tuple[str, slice]]:
    """Returns the rows of each conversation, after checking that they are contiguous and sorted."""
    home: dict[str, str] = {}
    runs = []
    start = 0
    for name, run in groupby(dialogue):
        rows = slice(start, start + len(list(run)))
        with conversation_context(name):
            found = sorted(set(split[rows]))
            if len(found) > 1 or home.get(name, found[0]) != found[0]:
                both = sorted({*found, home.get(name, found[0])})
                raise ValueError(
                    f"split must be the same in all rows of a conversation, but got {both}; if "
                    "dialogue numbers restart in each split, prefix them with its name."
                )
            if name in home:
                raise ValueError(f"utterances must be contiguous, but row {start} is apart.")
            order = None if turn is None else turn[rows]
            if order is not None and (order[1:] <= order[:-1]).any():
                place = start + 1 + int(np.argmax(order[1:] <= order[:-1]))
                raise ValueError(
                    f"turn must increase within a conversation, but does not at row {place}: sort "
                    "the rows by it."
                )
        home[name] = found[0]
        runs.append((name, rows))
        start = rows.stop
    return runs


def _masks(archive: Archive, layout: Layout) -> dict[str, NDArray[np.bool_]]:
    """Returns the presence masks by modality; `has_NAME` and `present` must not contradict."""
    masks = {name: _bools(array, archive.read(array)) for name, array in layout.masks.items()}
    if "present" in archive.headers:
        columns = _bools("present", archive.read("present")).T
        for name, column in zip(layout.modalities, columns, strict=True):
            if name in masks and (masks[name] != column).any():
                raise ValueError(f"present and has_{name} must be equal, but differ.")
            masks[name] = column
    return masks


def _features(
    archive: Archive,
    layout: Layout,
    runs: Sequence[tuple[str, slice]],
    masks: dict[str, NDArray[np.bool_]],
    options: Options,
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Returns each conversation's features and presence, decompressing one modality at a time."""
    parts: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, {}) for _ in runs]
    for name in layout.modalities:
        whole = archive.read(name)
        for (_, rows), (features, present) in zip(runs, parts, strict=True):
            mask = {name: masks[name][rows]} if name in masks else {}
            more = to_features({name: whole[rows]}, mask, options)
            features |= more[0]
            present |= more[1]
    return parts


def _optional(archive: Archive, name: str) -> NDArray[Any] | None:
    return archive.read(name).reshape(-1) if name in archive.headers else None


def _bools(name: str, array: NDArray[Any]) -> NDArray[np.bool_]:
    if not ((array == 0) | (array == 1)).all():
        raise ValueError(f"{name} must be bools, or 0 and 1, but has {array.max()}.")
    return array.astype(bool)


def _names(array: NDArray[Any]) -> list[str]:
    return [
        str(value, "utf-8") if isinstance(value, bytes) else str(value) for value in array.tolist()
    ]
