"""Finds the format of a file."""

from os import PathLike
from typing import TypeVar, Unpack

from graphfusion._utils.files import open_regular
from graphfusion.datasets._contents import Finish
from graphfusion.datasets._options import Asked, Options
from graphfusion.datasets._problems import Problem
from graphfusion.datasets._reading import FormatError
from graphfusion.datasets.corpus import Corpus, make_corpus
from graphfusion.datasets.format import read_safetensors
from graphfusion.datasets.readers.npz import read_npz
from graphfusion.datasets.readers.pickles import read_pickle

T = TypeVar("T")


def load(path: str | PathLike[str], **options: Unpack[Asked]) -> Corpus:
    """Reads a corpus as the file's content asks.

    That is with :func:`load_safetensors`, :func:`load_npz` or :func:`load_pickle`.

    Args:
        path: The file; its name does not matter.
        **options: What an .npz or a pickle does not say itself: `labels`, `missing`, `frames` and
            (of a pickle) `splits`, as those functions take them.

    Raises:
        FormatError: If the file is none of these, or anything in it is wrong.
        ImportError: If it needs safetensors and that is not installed.
        OSError: If it cannot be opened.
        TypeError: If there is no such option.
        ValueError: If an option has another value, or is for other files than this one.
    """
    return read(path, make_corpus, options)


def read(path: str | PathLike[str], finish: Finish[T], options: Asked) -> T:
    """Makes something of what the file has, once it is cut into conversations."""
    checked = Options(**options)
    form = detect(path)
    if form == "npz":
        return read_npz(path, finish, checked)
    if form == "pickle":
        return read_pickle(path, finish, checked)
    if checked != Options():
        raise ValueError(f"{path} says itself what its labels are; it takes no options.")
    return read_safetensors(path, finish)


def detect(path: str | PathLike[str]) -> str:
    """Finds a file's format, "safetensors", "npz" or "pickle", from how it begins.

    Raises:
        FormatError: If it is none of these.
        OSError: If the file cannot be opened.
    """
    with open_regular(path) as file:
        start = file.read(9)
    # First, since it begins with the size of its header, which may look like any of the others.
    if start[4:] == b"\0\0\0\0{":
        return "safetensors"
    if start[:2] == b"PK":
        return "npz"
    # A protocol from 2 on; before these, the mark before a tuple, or an empty dict or list.
    if start[:1] in (b"\x80", b"(", b"}", b"]"):
        return "pickle"
    message = f"the file must be safetensors, an .npz or a pickle, but begins with {start!r}."
    raise FormatError(f"{path}: {message}", [Problem(None, None, message)])
