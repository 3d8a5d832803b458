"""Tells the formats apart."""

from os import PathLike
from pathlib import Path

from graphfusion.datasets._problems import Problem
from graphfusion.datasets._reading import FormatError
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.format import load_safetensors
from graphfusion.datasets.readers.npz import load_npz
from graphfusion.datasets.readers.pickles import load_pickle

_LOADERS = {"safetensors": load_safetensors, "npz": load_npz, "pickle": load_pickle}


def load(path: str | PathLike[str]) -> Corpus:
    """Reads a corpus as the file's content asks.

    That is with :func:`load_safetensors`, :func:`load_npz` or :func:`load_pickle`.

    Args:
        path: The file; its name does not matter.

    Raises:
        FormatError: If the file is none of these, or anything in it is wrong.
        ImportError: If it needs safetensors and that is not installed.
        OSError: If it cannot be opened.
    """
    return _LOADERS[detect(path)](path)


def detect(path: str | PathLike[str]) -> str:
    """Tells a file's format, "safetensors", "npz" or "pickle", from how it begins.

    Raises:
        FormatError: If it is none of these.
        OSError: If the file cannot be opened.
    """
    with Path(path).open("rb") as file:
        start = file.read(9)
    # First, since it begins with the size of its header, which may look like any of the others.
    if start[4:] == b"\0\0\0\0{":
        return "safetensors"
    if start[:2] == b"PK":
        return "npz"
    if start[:1] in (b"\x80", b"("):  # a protocol from 2 on, or the mark before a tuple
        return "pickle"
    message = f"the file must be safetensors, an .npz or a pickle, but begins with {start!r}."
    raise FormatError(f"{path}: {message}", [Problem(None, None, message)])
