"""Locates the file of a published data set in a folder, and matches its class names."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from graphfusion.datasets._load import detect, load
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._options import ReaderKwargs
from graphfusion.datasets.readers._reading import FormatError

# Adjective and noun for each emotion; files use either, possibly abbreviated.
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
    root: str | PathLike[str],
    names: Sequence[str],
    source: str,
    options: ReaderKwargs | None = None,
) -> tuple[Path, Corpus]:
    """Loads the first file that exists in a folder, or in its subfolder `raw`.

    Args:
        root: The folder.
        names: The names of the files, in order of preference.
        source: Who distributes the data and under which terms, for the error message.
        options: The options of :func:`load`, for formats that do not store them.

    Returns:
        The path of the file, and the corpus.

    Raises:
        FileNotFoundError: If none of the files exists; it names the source.
        FormatError: If the file is invalid.
    """
    for name in names:
        for folder in (Path(root), Path(root, "raw")):
            if (folder / name).is_file():
                path = folder / name
                if options is None or detect(path) == "safetensors":
                    return path, load(path)
                return path, load(path, **options)
    raise FileNotFoundError(
        f"root must be a folder with {' or '.join(names)}, itself or in its subfolder raw, but "
        f"{root} has none of them. Nothing is downloaded here. {source}"
    )


def match_classes(path: Path, found: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Matches the classes of a file to those of a data set.

    Args:
        path: The path of the file, for the error message.
        found: The file's classes, in any order: nouns or adjectives, or at least their first three
            letters; or, as :func:`load_pickle` names them, numbers in the order of `classes`.
        classes: The classes of the data set.

    Returns:
        For each class of the file, its number in the data set.

    Raises:
        FormatError: If the classes differ.
    """
    words = [next((each for each in _WORDS if name in each), (name,)) for name in classes]
    numbers = [_class_number(name.lower(), words) for name in found]
    if sorted(numbers) != list(range(len(classes))):
        raise FormatError(
            f"{path}: classes must be {', '.join(classes)}, but got {', '.join(found) or 'none'}."
        )
    return numbers


def _class_number(name: str, words: Sequence[Sequence[str]]) -> int:
    if name in map(str, range(len(words))):
        return int(name)
    for place, alike in enumerate(words):
        if len(name) >= 3 and any(word.startswith(name) for word in alike):
            return place
    return -1
