"""Finds the file of a data set that people know by name, and says where to get it."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from graphfusion.datasets._load import detect, load
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._options import Asked
from graphfusion.datasets.readers._reading import FormatError

# The nouns and adjectives for one emotion; files have either, or the first letters of it.
_WORDS = (
    ("happy", "happiness"),
    ("sad", "sadness"),
    ("neutral", "neutrality"),
    ("angry", "anger"),
    ("excited", "excitement"),
    ("frustrated", "frustration"),
    ("surprised", "surprise"),
    ("fearful", "fear"),
    ("joyful", "joy"),
    ("disgusted", "disgust"),
)


def load_from(
    root: str | PathLike[str], names: Sequence[str], source: str, asked: Asked | None = None
) -> tuple[Path, Corpus]:
    """Reads the first of some files that is in a folder, or in its subfolder `raw`.

    Args:
        root: The folder.
        names: The files.
        source: Who gives out the data and on which terms, in a sentence or more.
        asked: What to say of the file to :func:`load`, where its format does not say it itself.

    Returns:
        The file and what it holds.

    Raises:
        FileNotFoundError: If there is none of them; it names the source.
        FormatError: If anything in the file is wrong.
    """
    for name in names:
        for folder in (Path(root), Path(root, "raw")):
            if (folder / name).is_file():
                path = folder / name
                if asked is None or detect(path) == "safetensors":
                    return path, load(path)
                return path, load(path, **asked)
    raise FileNotFoundError(
        f"root must be a folder with {' or '.join(names)}, itself or in its subfolder raw, but "
        f"{root} has none of them. Nothing is downloaded here. {source}"
    )


def match_classes(path: Path, found: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Finds a data set's classes among a file's.

    Args:
        path: The file.
        found: Its classes, in any order: the noun or the adjective for each, or the first three of
            its letters or more; or, as :func:`load_pickle` names them, numbered in the order of
            `classes`.
        classes: The data set's.

    Returns:
        For each of the file's classes, which of the data set's it is.

    Raises:
        FormatError: If they are not the data set's.
    """
    words = [next((each for each in _WORDS if name in each), (name,)) for name in classes]
    numbers = [_place(name.lower(), words) for name in found]
    if sorted(numbers) != list(range(len(classes))):
        raise FormatError(
            f"{path}: classes must be {', '.join(classes)}, but got {', '.join(found) or 'none'}."
        )
    return numbers


def _place(name: str, words: Sequence[Sequence[str]]) -> int:
    if name in map(str, range(len(words))):
        return int(name)
    for place, alike in enumerate(words):
        if len(name) >= 3 and any(word.startswith(name) for word in alike):
            return place
    return -1
