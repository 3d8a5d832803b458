"""Finds the format of a file."""

from os import PathLike
from typing import TypeVar, Unpack

from graphfusion._utils.files import open_regular
from graphfusion.datasets._make import make_corpus
from graphfusion.datasets.checks.problems import Problem
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.format import load_safetensors
from graphfusion.datasets.readers._contents import Finish
from graphfusion.datasets.readers._options import Options, TableAsked
from graphfusion.datasets.readers._reading import FormatError
from graphfusion.datasets.readers.npz import read_npz
from graphfusion.datasets.readers.pickles import read_pickle
from graphfusion.datasets.tables.files import load_table
from graphfusion.datasets.tables.frames import is_csv

T = TypeVar("T")
TABLES = ("parquet", "csv")


def load(path: str | PathLike[str], **options: Unpack[TableAsked]) -> Corpus:
    """Reads a corpus as the file's content asks.

    That is with :func:`load_safetensors`, which opens a file of any size and reads conversations
    when they are asked for; or with :func:`load_npz` or :func:`load_pickle`, which read it whole;
    or as a table of :meth:`Corpus.from_table`, if it is Parquet or CSV.

    Args:
        path: The file; its name does not matter, but for CSV, which ends in .csv or .tsv.
        **options: What an .npz or a pickle does not say itself: `labels`, `missing`, `frames` and
            (of a pickle) `splits`, as those functions take them. What a table's columns are, as
            :meth:`Corpus.from_table` takes it; without `features`, all columns of vectors (in CSV,
            of lists such as "[0.1, 0.2]") are modalities.

    Raises:
        FormatError: If the file is none of these, or anything in it is wrong.
        ImportError: If it needs safetensors and that is not installed.
        OSError: If it cannot be opened.
        TypeError: If there is no such option.
        ValueError: If an option has another value, or is for other files than this one.
    """
    form = detect(path)
    if form == "safetensors":
        refuse_options(path, options)
        return load_safetensors(path)
    if form in TABLES:
        return load_table(path, form, **options)
    return read(path, form, make_corpus, options)


def read(path: str | PathLike[str], form: str, finish: Finish[T], options: TableAsked) -> T:
    """Makes something of what an .npz file or a pickle has, once it is cut into conversations."""
    reader = read_npz if form == "npz" else read_pickle
    return reader(path, finish, _checked(options))


def refuse_options(path: str | PathLike[str], options: TableAsked) -> None:
    """Refuses to say of a file of the library's own what it says itself."""
    if _checked(options) != Options():
        raise ValueError(f"{path} says itself what its labels are; it takes no options.")


def _checked(options: TableAsked) -> Options:
    return Options(**options)  # type: ignore[misc]  # it refuses those of tables


def detect(path: str | PathLike[str]) -> str:
    """Finds a file's format, from how it begins, or of CSV from its name.

    Returns:
        "safetensors", "npz", "pickle", "parquet" or "csv".

    Raises:
        FormatError: If it is none of these.
        OSError: If the file cannot be opened.
    """
    with open_regular(path) as file:
        start = file.read(9)
    # First, since it begins with the size of its header, which may look like any of the others.
    if start[4:] == b"\0\0\0\0{":
        return "safetensors"
    if start[:4] == b"PAR1":
        return "parquet"
    if is_csv(path):
        return "csv"
    if start[:2] == b"PK":
        return "npz"
    # A protocol from 2 on; before these, the mark before a tuple, or an empty dict or list.
    if start[:1] in (b"\x80", b"(", b"}", b"]"):
        return "pickle"
    message = (
        "the file must be safetensors, an .npz, a pickle, Parquet or named .csv, but begins with "
        f"{start!r}."
    )
    raise FormatError(f"{path}: {message}", [Problem(None, None, message)])
