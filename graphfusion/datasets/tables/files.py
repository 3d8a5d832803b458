"""Tables in files, Parquet and CSV."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._reading import naming
from graphfusion.datasets.tables.features import find_vectors
from graphfusion.datasets.tables.frames import read_csv, read_parquet
from graphfusion.datasets.tables.from_table import Columns


def load_table(
    path: str | PathLike[str],
    form: str,
    features: Mapping[str, str | Sequence[str]] | Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    **columns: Any,
) -> Corpus:
    """Reads a corpus from a table in a file.

    Args:
        path: The file.
        form: "parquet" or "csv".
        features: As of `Corpus.from_table`; None: all columns of vectors.
        classes: As of `Corpus.from_table`.
        **columns: Likewise.

    Raises:
        FormatError: If anything in it is wrong.
        ImportError: If pandas or pyarrow is not installed.
        OSError: If it cannot be opened.
        TypeError: If there is no such option.
    """
    roles = Columns(**columns)
    with naming(path):
        if form == "csv":
            texts = [roles.conversation, roles.speaker, roles.split]
            frame = read_csv(path, [each for each in texts if each is not None])
        else:
            frame = read_parquet(path)
        sources = features or find_vectors(frame, roles.taken)
        return Corpus.from_table(frame, sources, classes=classes, **columns)
