"""Finds the file of a data set that people know by name, and says where to get it."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from graphfusion.datasets._load import load
from graphfusion.datasets._reading import FormatError
from graphfusion.datasets.corpus import Corpus


def load_from(root: str | PathLike[str], names: Sequence[str], source: str) -> tuple[Path, Corpus]:
    """Reads the first of some files that is in a folder, or in its subfolder `raw`.

    Args:
        root: The folder.
        names: The files.
        source: Who gives out the data and on which terms, in a sentence or more.

    Returns:
        The file and what it holds.

    Raises:
        FileNotFoundError: If there is none of them; it tells the source.
        FormatError: If anything in the file is wrong.
    """
    for name in names:
        for folder in (Path(root), Path(root, "raw")):
            if (folder / name).is_file():
                return folder / name, load(folder / name)
    raise FileNotFoundError(
        f"root must be a folder with {' or '.join(names)}, itself or in its subfolder raw, but "
        f"{root} has none of them. Nothing is downloaded here. {source}"
    )


def match_classes(path: Path, found: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Finds a data set's classes among a file's.

    Args:
        path: The file.
        found: Its classes: abbreviated to three letters or more and in any order, or, as
            :func:`load_pickle` names them, numbered in the order of `classes`.
        classes: The data set's.

    Returns:
        For each of the file's classes, which of the data set's it is.

    Raises:
        FormatError: If they are not the data set's.
    """
    places = {name[:3]: place for place, name in enumerate(classes)}
    places |= {str(place): place for place in range(len(classes))}
    numbers = [places.get(name[:3].lower(), -1) for name in found]
    if sorted(numbers) != list(range(len(classes))):
        raise FormatError(
            f"{path}: classes must be {', '.join(classes)}, but got {', '.join(found)}."
        )
    return numbers
