"""Tables of other libraries and of files, as pandas has them."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from graphfusion._utils.extras import require
from graphfusion._utils.files import open_regular
from graphfusion.datasets.readers._rows import check_bound

_PURPOSE = "read and write tables"
_ITEM = 8  # bytes that a value takes, at most, but for strings, of which each stands there once


def to_pandas(frame: object) -> Any:
    """A frame of pandas with the same columns, its rows numbered from 0.

    Args:
        frame: Of pandas, Arrow, or whatever speaks Arrow's or the data frames' interchange
            protocol, or has `to_pandas`.

    Raises:
        ImportError: If pandas or pyarrow is not installed.
        TypeError: If it is none of these.
    """
    require("tables", _PURPOSE)
    import pandas as pd
    import pyarrow as pa

    if isinstance(frame, pd.DataFrame):
        return frame.reset_index(drop=True)
    if hasattr(frame, "__arrow_c_stream__"):
        return _from_arrow(pa.table(frame))
    if hasattr(frame, "__dataframe__"):
        from pyarrow.interchange import from_dataframe

        return _from_arrow(from_dataframe(frame))
    if hasattr(frame, "to_pandas"):
        return to_pandas(frame.to_pandas())
    raise TypeError(f"frame must be a table of pandas or Arrow, but got {type(frame).__name__}.")


def is_csv(path: str | PathLike[str]) -> bool:
    """Whether a file is CSV or the like, by its name."""
    return Path(path).suffix.lower() in (".csv", ".tsv")


def read_csv(path: str | PathLike[str], texts: Sequence[str]) -> Any:
    """The table of a CSV file; empty cells are missing, and nothing else is.

    Args:
        path: The file; its values are separated by tabs if its name ends in ".tsv".
        texts: The columns that are no numbers, whatever they look like.
    """
    require("tables", _PURPOSE)
    import pandas as pd

    with open_regular(path) as file:
        return pd.read_csv(
            file,
            sep="\t" if Path(path).suffix.lower() == ".tsv" else ",",
            dtype=dict.fromkeys(texts, str),
            keep_default_na=False,  # "None" may be a name
            na_values=[""],
            low_memory=False,  # else a column's type may change within it
        )


def read_parquet(path: str | PathLike[str]) -> Any:
    """The table of a Parquet file.

    Raises:
        ValueError: If it declares more values than its size can explain.
    """
    require("tables", _PURPOSE)
    import pyarrow as pa
    from pyarrow import parquet

    with open_regular(path) as file:
        size = file.seek(0, 2)
        found = parquet.ParquetFile(file)
        groups = [found.metadata.row_group(each) for each in range(found.num_row_groups)]
        check_bound(sum(each.total_byte_size for each in groups), size)
        # Arrow ends the process where `column` meets a broken chunk, and not where it is scanned.
        found.scan_contents()
        chunks = [group.column(each) for group in groups for each in range(group.num_columns)]
        check_bound(_ITEM * sum(each.num_values for each in chunks), size)
        texts = [each.name for each in found.schema_arrow if pa.types.is_string(each.type)]
        found = parquet.ParquetFile(file, read_dictionary=texts)  # a repeated string stays one
        return _from_arrow(found.read())


def _from_arrow(table: Any) -> Any:
    # Integers with gaps would become floats, which may be scores as well.
    return table.to_pandas(integer_object_nulls=True).reset_index(drop=True)
