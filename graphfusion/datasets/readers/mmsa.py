"""Reads MMSA's pickles: a dict of splits, each a dict of arrays with one row per utterance."""

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphfusion.datasets.readers._contents import Contents, RawConversation
from graphfusion.datasets.readers._labels import to_y
from graphfusion.datasets.readers._options import Options
from graphfusion.datasets.readers._reading import conversation_context, describe, number_speakers
from graphfusion.datasets.readers._safe_objects import Array, Budget
from graphfusion.datasets.readers._tables import fill_absent, label_values, matrix, to_list
from graphfusion.datasets.readers._vectors import check_vectors, to_features

_SPLITS = {"train": "train", "valid": "dev", "test": "test"}
_MODALITIES = ("text", "audio", "vision")
_BETWEEN = "$_$"  # separates the video's name from the clip's number


def read_splits(held: dict[Any, Any], budget: Budget, options: Options) -> Contents:
    """Splits MMSA's arrays into conversations: one per video, with one speaker, clips in order.

    Args:
        held: `{split: {name: array or list}}`, the splits "train", "valid" and "test".
        budget: The limit on copies.
        options: The options of the reader; labels are scores, from `regression_labels`.

    Raises:
        ValueError: If `held` has another structure.
    """
    if not set(held) <= set(_SPLITS) or not all(isinstance(each, dict) for each in held.values()):
        raise ValueError(
            f"a dict must map the splits {', '.join(_SPLITS)} to dicts, but has "
            f"{', '.join(map(repr, list(held)[:5]))}."
        )
    if options.labels == "classes":
        raise ValueError("labels are scores here, the regression_labels; classes are not read.")
    if options.splits is not None:
        raise ValueError(
            "splits must be left out for a dict of splits, which names its own, but got "
            f"{options.splits!r}."
        )
    splits = {_SPLITS[split]: _read(each, budget, options) for split, each in held.items()}
    fill_absent(list(chain(*splits.values())), budget)
    return Contents((), splits)


def _read(held: dict[Any, Any], budget: Budget, options: Options) -> list[RawConversation]:
    names = [name for name in _MODALITIES if name in held]
    for name in ("id", "regression_labels", *(names or _MODALITIES)):
        if not isinstance(held.get(name), Array | list | tuple):
            raise ValueError(f"each split must have {name}, a list or an array, but has none.")
    ids = to_list(held["id"], budget)
    scores, _ = label_values(_flat(to_list(held["regression_labels"], budget)))
    rows = {name: _rows(name, held[name], len(ids), budget, options) for name in names}
    if len(scores) != len(ids):
        raise ValueError(
            f"regression_labels must have one entry per utterance ({len(ids)}), but has "
            f"{len(scores)}."
        )
    found = []
    for video, places in _videos(ids).items():
        arrays, masks = {}, {}
        with conversation_context(video):
            for name, values in rows.items():
                if isinstance(values, np.ndarray):
                    arrays[name] = values[places]
                else:
                    part = [values[place] for place in places]
                    arrays[name], masks[name] = matrix(name, part, budget, options)
            features, present = to_features(arrays, masks, options)
            y = to_y("scores", scores[places], False)
        speaker = number_speakers([0] * len(places))
        found.append(RawConversation(video, features, speaker, y, present))
    return found


def _videos(ids: list[Any]) -> dict[str, list[int]]:
    """Returns the rows of each video, in the order of its clips."""
    clips: dict[str, list[tuple[int, int]]] = {}
    for row, name in enumerate(ids):
        video, between, clip = name.partition(_BETWEEN) if type(name) is str else ("", "", "")
        if not between or not clip.isdecimal() or len(clip) > 18:
            raise ValueError(f"id must be VIDEO{_BETWEEN}CLIP, but row {row} has {name!r:.80}.")
        clips.setdefault(video, []).append((int(clip), row))
    return {video: [row for _, row in sorted(each)] for video, each in clips.items()}


def _rows(
    name: str, held: object, size: int, budget: Budget, options: Options
) -> NDArray[Any] | list[Any]:
    """Returns a modality's vectors or frames, as one array if the file stores one."""
    if isinstance(held, Array) and held.array.ndim > 1:
        if held.array.dtype.kind not in "biuf":
            raise ValueError(f"{name} must be numbers, but got {describe(held.array)}.")
        check_vectors(name, held.array.shape[1:], options.frames)
        budget.spend(held.array.nbytes)
        values: NDArray[Any] | list[Any] = held.array
    else:
        values = to_list(held, budget)
    if len(values) != size:
        raise ValueError(
            f"{name} must have one entry per utterance ({size}), but has {len(values)}."
        )
    return values


def _flat(labels: list[Any]) -> list[Any]:
    """Flattens labels of shape `[U]` or `[U, 1]` to a list of scalars."""
    return [
        each.item() if isinstance(each, np.ndarray) and each.size == 1 else each for each in labels
    ]
