"""Converts tables of other libraries, CSV files and Parquet files to pandas."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from graphfusion._utils.extras import require
from graphfusion._utils.files import open_regular
from graphfusion.datasets.readers._npz_layout import check_bound

_PURPOSE = "read and write tables"
_ITEM = 8  # maximum bytes per value; repeated strings share one object


def to_pandas(frame: object) -> Any:
    """Converts a table to a pandas frame whose rows are numbered from 0.

    Args:
        frame: A frame of pandas or Arrow, or any object that supports Arrow's C stream or the
            dataframe interchange protocol, or has a method `to_pandas`.

    Raises:
        ImportError: If pandas or pyarrow is not installed.
        TypeError: If `frame` is none of these.
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
    """Returns whether a file's name ends in .csv or .tsv."""
    return Path(path).suffix.lower() in (".csv", ".tsv")


def read_csv(path: str | PathLike[str], texts: Sequence[str]) -> Any:
    """Reads a CSV file into pandas; only empty cells are missing.

    Args:
        path: The path of the file; ".tsv" selects tabs as separators.
        texts: The columns to read as strings, even if they look like numbers.

    Raises:
        ValueError: If rows have more cells than the header.
    """
    require("tables", _PURPOSE)
    import pandas as pd

    sep = "\t" if Path(path).suffix.lower() == ".tsv" else ","
    with open_regular(path) as file:
        frame = pd.read_csv(
            file,
            sep=sep,
            dtype=dict.fromkeys(texts, str),
            keep_default_na=False,  # "None" may be a name
            na_values=[""],
            low_memory=False,  # otherwise a column can have several types
        )
        file.seek(0)
        try:
            top = pd.read_csv(file, sep=sep, header=None, nrows=2, dtype=str, keep_default_na=False)
        except pd.errors.ParserError as error:
            # Above, the surplus cells became row labels, and all others were shifted by a column.
            size = len(frame.columns)
            raise ValueError(
                f"rows must have as many cells as the header, {size}, but the first has "
                f"{size + frame.index.nlevels}; a separator at the end of rows counts as a cell."
            ) from error
    # Pandas renames columns of one name, which are to be refused, and those without a name.
    names = zip(top.iloc[0], frame.columns, strict=True)
    frame.columns = pd.Index([name or renamed for name, renamed in names])
    return frame


def read_parquet(path: str | PathLike[str]) -> Any:
    """Reads a Parquet file into pandas.

    Raises:
        ValueError: If it declares more values than its size can justify.
    """
    require("tables", _PURPOSE)
    import pyarrow as pa
    from pyarrow import parquet

    with open_regular(path) as file:
        size = file.seek(0, 2)
        found = parquet.ParquetFile(file)
        groups = [found.metadata.row_group(each) for each in range(found.num_row_groups)]
        check_bound(sum(each.total_byte_size for each in groups), size)
        # Scan first: Arrow aborts the process if `column` meets a corrupt chunk; a scan raises.
        found.scan_contents()
        chunks = [group.column(each) for group in groups for each in range(group.num_columns)]
        check_bound(_ITEM * sum(each.num_values for each in chunks), size)
        texts = [each.name for each in found.schema_arrow if pa.types.is_string(each.type)]
        # As dictionaries, so that repeated strings share memory.
        found = parquet.ParquetFile(file, read_dictionary=texts)
        return _from_arrow(found.read())


def _from_arrow(table: Any) -> Any:
    # Otherwise integers with nulls would become floats, which could be taken for scores.
    return table.to_pandas(integer_object_nulls=True).reset_index(drop=True)
