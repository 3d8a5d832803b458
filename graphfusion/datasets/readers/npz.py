"""Plain .npz files with one row per utterance."""

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
from graphfusion.datasets.readers._labels import Kind, label_kind, to_score, to_y
from graphfusion.datasets.readers._options import Asked, Options
from graphfusion.datasets.readers._reading import about, number_speakers, reading
from graphfusion.datasets.readers._rows import (
    Layout,
    check_cost,
    check_layout_of_rows,
)
from graphfusion.datasets.readers._vectors import to_features


def load_npz(path: str | PathLike[str], **options: Unpack[Asked]) -> Corpus:
    """Reads a corpus from an .npz file without pickles, as `numpy.savez` writes it.

    Its arrays have one row per utterance, the utterances of a conversation one after the other:

    - `dialogue`, the conversation's id; `speaker`, a name; `split`, a name, the same for a whole
      conversation ("train" must occur);
    - `label`: integers that number the `classes`, -1 or -100 where missing; or floats. With
      `classes`, floats are whole numbers of those, NaN where missing; without, they are scores, NaN
      where missing, and the corpus has no classes. Several classes at once are `[U, K]`, a column
      of 1 and 0 (or of bools; of a single class, of bools alone) for each of the `classes`, missing
      in the same ways;
    - each further array of floats is a modality `[U, d]`, in the file's order;
    - `has_NAME`, bools, says which utterances have the modality NAME; or `present`, bools `[U, M]`,
      says it of all, with columns in the order of the modalities;
    - `score`, a score besides the class, becomes the conversations' attribute `score` `[U]`;
    - `turn`, integers, must increase within each conversation;
    - `utt` and further strings are not taken over. Anything else is refused.

    Args:
        path: The file.
        **options: What the file does not say itself. `labels="classes"` or `"scores"`: what the
            labels are; `score`, if there is one, is then the score. `missing="nan"`: vectors of
            nothing but NaN are absent. `frames="mean"`: modalities may be `[U, T, d]` and are
            averaged over T, less the frames of nothing but zeros, which are padding.

    Raises:
        FormatError: If anything in the file is wrong. Nothing that it declares is allocated
            before it is known to be there, and nothing inflated before all of it is known to take
            at most 1032 times the file's size and 32 MiB.
        OSError: If it cannot be opened.
    """
    return read_npz(path, make_corpus, Options(**options))


def read_npz(path: str | PathLike[str], finish: Finish[T], options: Options) -> T:
    """Makes something of what the file has, once it is cut into conversations."""
    with reading(path) as data:
        archive = Archive(data)
        layout = check_layout_of_rows(archive.headers, options)
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
        label = label if layout.several else label.reshape(-1)
    integers = label.dtype.kind in "iu"
    values = label.astype(np.float64)
    kind: Kind = "several"
    if not layout.several:
        kind = label_kind(values, integers, layout.named, options.labels)
    masks = _masks(archive, layout)
    parts = _features(archive, layout, runs, masks, options)

    splits: dict[str, list[RawConversation]] = {}
    for (name, rows), (features, present) in zip(runs, parts, strict=True):
        with about(name):
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
    """The rows of each conversation, which stand together and in order."""
    home: dict[str, str] = {}
    runs = []
    start = 0
    for name, run in groupby(dialogue):
        rows = slice(start, start + len(list(run)))
        with about(name):
            found = sorted(set(split[rows]))
            if len(found) > 1 or home.get(name, found[0]) != found[0]:
                both = sorted({*found, home.get(name, found[0])})
                raise ValueError(
                    f"split must be one for a conversation, but got {both}; where each split "
                    "numbers its dialogues anew, put the split in front of the number."
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
    """What the file says of presence; what two arrays say must be the same."""
    masks = {name: _bools(array, archive.read(array)) for name, array in layout.masks.items()}
    if "present" in archive.headers:
        columns = _bools("present", archive.read("present")).T
        for name, column in zip(layout.modalities, columns, strict=True):
            if name in masks and (masks[name] != column).any():
                raise ValueError(f"present and has_{name} must say the same, but do not.")
            masks[name] = column
    return masks


def _features(
    archive: Archive,
    layout: Layout,
    runs: Sequence[tuple[str, slice]],
    masks: dict[str, NDArray[np.bool_]],
    options: Options,
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each conversation's features and presence, one modality's array inflated at a time."""
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
