"""Loads a corpus from a Parquet or CSV file."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._reading import error_context
from graphfusion.datasets.tables.features import find_vectors
from graphfusion.datasets.tables.frames import read_csv, read_parquet
from graphfusion.datasets.tables.from_table import Columns, class_names


def load_table(
    path: str | PathLike[str],
    form: str,
    features: Mapping[str, str | Sequence[str]] | Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    **columns: Any,
) -> Corpus:
    """Loads a corpus from a Parquet or CSV file.

    Args:
        path: The path of the file.
        form: "parquet" or "csv".
        features: See `Corpus.from_table`; None: all columns of vectors.
        classes: See `Corpus.from_table`.
        **columns: The names of columns, see `Corpus.from_table`.

    Raises:
        FormatError: If the file is invalid.
        ImportError: If pandas or pyarrow is not installed.
        OSError: If the file cannot be opened.
        TypeError: If an option is unknown, or `classes` is no sequence of strings.
    """
    roles, names = Columns(**columns), class_names(classes)
    with error_context(path):
        if form == "csv":
            texts = [roles.conversation, roles.speaker, roles.split]
            frame = read_csv(path, [each for each in texts if each is not None])
        else:
            frame = read_parquet(path)
        sources = features or find_vectors(frame, roles.taken)
        return Corpus.from_table(frame, sources, classes=names, **columns)
