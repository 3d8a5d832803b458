"""Readers of feature files: from a file that need not be trusted to a :class:`Corpus`.

Either format holds the utterances of many conversations with their feature vectors, speakers and
labels. Whatever a file contains, a reader runs none of it as code, allocates no more than the size
of the file warrants, and either returns a consistent corpus or raises :class:`FormatError`.
"""

from os import PathLike
from pathlib import Path

from graphfusion.datasets._reading import FormatError
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.npz import load_npz
from graphfusion.datasets.pickles import load_pickle
from graphfusion.datasets.synthetic import synthetic

__all__ = ["Corpus", "FormatError", "load", "load_npz", "load_pickle", "synthetic"]


def load(path: str | PathLike[str]) -> Corpus:
    """Reads a corpus with :func:`load_npz` or :func:`load_pickle`, as the file's content asks.

    Args:
        path: The file; its name does not matter.

    Raises:
        FormatError: If the file is neither, or anything in it is wrong.
        OSError: If it cannot be opened.
    """
    with Path(path).open("rb") as file:
        start = file.read(2)
    if start == b"PK":
        return load_npz(path)
    if start[:1] in (b"\x80", b"("):  # a protocol from 2 on, or the mark before a tuple
        return load_pickle(path)
    raise FormatError(f"{path}: the file must be an .npz or a pickle, but begins with {start!r}.")
