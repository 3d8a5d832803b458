"""Loads a corpus from a file of any supported format."""

from os import PathLike
from typing import TypeVar, Unpack

from graphfusion._utils.files import open_regular
from graphfusion.datasets._make import make_corpus
from graphfusion.datasets.checks.problems import Problem
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.format import load_safetensors
from graphfusion.datasets.readers._contents import Finish
from graphfusion.datasets.readers._options import LoadKwargs, Options, ReaderKwargs
from graphfusion.datasets.readers._reading import FormatError
from graphfusion.datasets.readers.npz import read_npz
from graphfusion.datasets.readers.pickles import read_pickle
from graphfusion.datasets.tables.files import load_table
from graphfusion.datasets.tables.frames import is_csv

T = TypeVar("T")
TABLES = ("parquet", "csv")


def load(path: str | PathLike[str], **options: Unpack[LoadKwargs]) -> Corpus:
    """Loads a corpus from a file, whose format is detected from its content.

    Uses :func:`load_safetensors`, which opens a file of any size and reads conversations on access;
    :func:`load_npz` or :func:`load_pickle`, which read the whole file; or
    :meth:`Corpus.from_table` for Parquet and CSV.

    Args:
        path: The path of the file. The name matters for CSV only: .csv or .tsv.
        **options: For an .npz or a pickle, the options of :func:`load_npz` and :func:`load_pickle`:
            `labels`, `missing`, `frames` and, for a pickle, `splits`. For a table, the arguments of
            :meth:`Corpus.from_table`; without `features`, all columns of vectors are modalities (in
            CSV, lists such as "[0.1, 0.2]").

    Raises:
        FormatError: If the format is unknown, or the file is invalid.
        ImportError: If the file needs safetensors and that is not installed.
        OSError: If the file cannot be opened.
        TypeError: If an option is unknown.
        ValueError: If an option has an invalid value, or does not apply to the file's format.
    """
    form = detect(path)
    if form == "safetensors":
        refuse_options(path, options)
        return load_safetensors(path)
    if form in TABLES:
        for name in ReaderKwargs.__annotations__:
            if name in options:
                raise ValueError(
                    f"{name} must be given for a pickle or an .npz file, not for a table, but "
                    f"{path} is {form}."
                )
        return load_table(path, form, **options)
    return read(path, form, make_corpus, options)


def read(path: str | PathLike[str], form: str, finish: Finish[T], options: LoadKwargs) -> T:
    """Reads an .npz file or a pickle and returns `finish` applied to its contents."""
    reader = read_npz if form == "npz" else read_pickle
    return reader(path, finish, _checked(path, form, options))


def refuse_options(path: str | PathLike[str], options: LoadKwargs) -> None:
    """Checks that no options are given for a file of the library's own format.

    Raises:
        ValueError: If an option is given, since the file stores all settings.
    """
    if _checked(path, "safetensors", options) != Options():
        raise ValueError(f"{path} must be loaded without options, since it stores its settings.")


def _checked(path: str | PathLike[str], form: str, options: LoadKwargs) -> Options:
    """Returns the options of the readers, without any that are for tables only."""
    for name in sorted(LoadKwargs.__annotations__.keys() - ReaderKwargs.__annotations__.keys()):
        if name in options:
            raise ValueError(
                f"{name} must be given for a table (Parquet or CSV) only, but {path} is {form}."
            )
    return Options(**options)  # type: ignore[misc]  # raises for unknown options


def detect(path: str | PathLike[str]) -> str:
    """Detects a file's format from its first bytes, or CSV from its name.

    Returns:
        "safetensors", "npz", "pickle", "parquet" or "csv".

    Raises:
        FormatError: If the format is unknown.
        OSError: If the file cannot be opened.
    """
    with open_regular(path) as file:
        start = file.read(9)
    # First, since the size of its header can look like the magic bytes of the other formats.
    if start[4:] == b"\0\0\0\0{":
        return "safetensors"
    if start[:4] == b"PAR1":
        return "parquet"
    if is_csv(path):
        return "csv"
    if start[:2] == b"PK":
        return "npz"
    # Protocol 2 and later; in older ones, the mark of a tuple, or an empty dict or list.
    if start[:1] in (b"\x80", b"(", b"}", b"]"):
        return "pickle"
    message = (
        "the file must be safetensors, an .npz, a pickle, Parquet or named .csv, but begins with "
        f"{start!r}."
    )
    raise FormatError(f"{path}: {message}", [Problem(None, None, message)])
