"""Plain .npz files with one row per utterance."""

from collections.abc import Mapping
from itertools import groupby
from os import PathLike
from typing import Any

from numpy.typing import NDArray

from graphfusion.datasets._problems import Finish, T, Talk
from graphfusion.datasets._reading import about, make_talk, reading
from graphfusion.datasets.corpus import Corpus, make_corpus
from graphfusion.datasets.readers._archive import read_arrays

_REQUIRED = ("dialogue", "speaker", "label", "classes", "split")


def load_npz(path: str | PathLike[str]) -> Corpus:
    """Reads a corpus from an .npz file without pickles, as `numpy.savez` writes it.

    Its arrays have one row per utterance, the utterances of a conversation one after the other:
    `dialogue` (the conversation's id), `speaker` (a name), `label` (an integer), `split` (a name,
    the same for a whole conversation; "train" must occur). `classes` names the classes. Every other
    array of floats is a modality `[U, d]`, in the file's order, except `score`: one number an
    utterance, a label, which becomes the conversations' attribute `score` `[U]`. No further array
    is taken over.

    Args:
        path: The file.

    Raises:
        FormatError: If anything in the file is wrong. Nothing that it declares is allocated
            before it is known to be there.
        OSError: If it cannot be opened.
    """
    return read_npz(path, make_corpus)


def read_npz(path: str | PathLike[str], finish: Finish[T]) -> T:
    """Makes something of what the file has, once it is cut into conversations."""
    with reading(path) as data:
        return finish(*_conversations(read_arrays(data)))


def _conversations(
    arrays: Mapping[str, NDArray[Any]],
) -> tuple[tuple[str, ...], dict[str, list[Talk]]]:
    missing = [name for name in _REQUIRED if name not in arrays]
    if missing:
        raise ValueError(
            f"the file must have the arrays {', '.join(_REQUIRED)}, but {', '.join(missing)} is "
            "missing."
        )
    dialogue, speaker, split, classes = (
        _names(name, arrays[name]) for name in ("dialogue", "speaker", "split", "classes")
    )
    for name, array in arrays.items():
        if name != "classes" and (array.ndim == 0 or len(array) != len(dialogue)):
            raise ValueError(
                f"{name} must have one row per utterance ({len(dialogue)}), but has shape "
                f"{list(array.shape)}."
            )
    label = arrays["label"]
    if label.ndim != 1 or label.dtype.kind not in "iu":
        raise ValueError(f"label must be one integer per utterance, but got {_what(label)}.")
    features = _modalities(arrays)
    score = _score(arrays)

    splits: dict[str, list[Talk]] = {}
    seen: set[str] = set()
    start = 0
    for name, run in groupby(dialogue):
        rows = slice(start, start + len(list(run)))
        with about(name):
            if name in seen:
                raise ValueError(f"utterances must be contiguous, but row {start} is apart.")
            if len(set(split[rows])) != 1:
                raise ValueError(f"split must be one, but got {sorted(set(split[rows]))}.")
        part = {modality: array[rows] for modality, array in features.items()}
        talk = make_talk(
            name,
            part,
            speaker[rows],
            label[rows].astype("i8"),
            None if score is None else score[rows],
        )
        splits.setdefault(split[start], []).append(talk)
        seen.add(name)
        start = rows.stop
    return tuple(classes), splits


def _modalities(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    features = {
        name: array
        for name, array in arrays.items()
        if array.dtype.kind == "f" and name not in (*_REQUIRED, "score")
    }
    for name, array in arrays.items():
        if array.ndim == 2 and array.dtype.kind in "biu" and name not in _REQUIRED:
            raise ValueError(f"{name} must be floats to be a modality, but got {_what(array)}.")
    if not features:
        raise ValueError("the file must have an array of floats, a modality, but has none.")
    for name, array in features.items():
        if array.ndim != 2 or array.shape[1] == 0:
            raise ValueError(
                f"{name} must have shape [U, d], as arrays of floats are modalities, "
                f"but got {list(array.shape)}."
            )
    return features


def _score(arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any] | None:
    if "score" not in arrays:
        return None
    score = arrays["score"]
    if score.size != len(score) or score.dtype.kind not in "fiu":
        raise ValueError(f"score must be one number per utterance, but got {_what(score)}.")
    return score.reshape(-1)


def _names(name: str, array: NDArray[Any]) -> list[str]:
    if array.ndim != 1 or array.dtype.kind not in "SUiu":
        raise ValueError(f"{name} must be one name each, but got {_what(array)}.")
    return [
        str(value, "utf-8") if isinstance(value, bytes) else str(value) for value in array.tolist()
    ]


def _what(array: NDArray[Any]) -> str:
    return f"{array.dtype.name} of shape {list(array.shape)}"
