"""Broken tables, CSV and Parquet: cells, columns, rows and types, and the bytes of either."""

import io
import random

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from tests.datasets.mutations.damage import SIZES, damage, sample

CELLS = (
    "", "x", "NaN", "nan", "None", "inf", "-inf", "-1", "-100", "0", "1.5", "1e999", "9" * 400,
    "[]", "[1]", "[1, 2]", "[1, null]", "[NaN, NaN]", "[Infinity]", '["x"]', "[[1]]", "[" * 3000,
    "[1" + "0" * 400 + "]", "[true]", "{}", '"', "'", "\0", "\n", ",", "ä", "True", "2020-01-01",
    "a" * 2000, *map(str, SIZES),
)  # fmt: skip
NAMES = ("conversation", "turn", "speaker", "label", "split", "text", "audio", "", "x", "\0", "é")
TYPES = (
    pa.null(), pa.bool_(), pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.string(),
    pa.binary(), pa.timestamp("ns"), pa.timestamp("s", "UTC"), pa.date32(), pa.duration("us"),
    pa.decimal128(9, 2), pa.list_(pa.int8()), pa.list_(pa.float64()), pa.list_(pa.string()),
    pa.list_(pa.list_(pa.float32())), pa.list_(pa.float32(), 2), pa.large_list(pa.int32()),
    pa.struct([("a", pa.float32())]), pa.map_(pa.string(), pa.int32()), pa.large_string(),
    pa.dictionary(pa.int32(), pa.string()),
)  # fmt: skip
VALUES = {
    "i": (0, 1, -1, 7, 2**31, 2**62, -(2**63)),
    "f": (0.0, -1.0, 0.5, np.nan, np.inf, -np.inf, 1e308),
    "s": ("", "x", "train", "a" * 999, "[1]"),
}


def _frame(rng: random.Random) -> pd.DataFrame:
    rows = [
        {
            "conversation": each.id,
            "turn": turn,
            "speaker": each.speakers[turn],
            "label": rng.choice(("x", "y")),
            "split": each.split,
            "text": each.features["text"][turn].tolist(),
            "audio": each.features["audio"][turn].tolist() if turn else None,
        }
        for each in sample(rng.randrange(3)).conversations
        for turn in range(len(each.labels))
    ]
    frame = pd.DataFrame(rows)
    if rng.random() < 0.3:  # scores, or numbers of classes
        frame["label"] = [rng.choice((0, 1, 0.5)) for _ in rows]
    return frame


def csv(rng: random.Random) -> dict[str, bytes | None]:
    """A file by the name of one, which alone says so."""
    frame = _frame(rng).astype(object)
    kind = rng.choice(("cells", "cells", "columns", "rows", "bytes"))
    if kind == "cells":
        for _ in range(rng.choice((1, 1, 3, 20))):
            place = rng.randrange(len(frame)), rng.randrange(len(frame.columns))
            frame.iat[place] = rng.choice(CELLS)
    elif kind == "columns":
        names = list(frame.columns)
        names[rng.randrange(len(names))] = rng.choice(NAMES)
        frame.columns = names
        frame = frame.iloc[:, rng.sample(range(len(names)), rng.randrange(1, len(names) + 1))]
    elif kind == "rows":
        places = range(len(frame))
        frame = frame.iloc[[rng.choice(places) for _ in range(rng.randrange(len(frame)))]]
    data = frame.to_csv(index=False, lineterminator="\n").encode("utf-8", "replace")
    return {"corpus.csv": damage(rng, data) if kind == "bytes" else data}


def parquet_file(rng: random.Random) -> bytes:
    """Written anew with other values and types; or its pages, its footer or all of it damaged."""
    table = pa.Table.from_pandas(_frame(rng), preserve_index=False)
    kind = rng.choice(("types", "values", "names", "pages", "footer", "footer", "bytes"))
    for _ in range(rng.choice((1, 1, 3)) if kind in ("types", "values", "names") else 0):
        place = rng.randrange(table.num_columns)
        field, column = table.field(place), table.column(place)
        if kind == "types":
            column = _cast(column, rng.choice(TYPES))
            field = pa.field(field.name, column.type)
        elif kind == "names":
            field = pa.field(rng.choice(NAMES), field.type)
        else:
            kinds = {pa.int64(): "i", pa.float64(): "f"}
            if pa.types.is_nested(field.type):
                column = pa.array(
                    [[rng.choice(VALUES["f"])] * rng.choice((0, 1, 4)) for _ in column]
                )
            else:
                some = VALUES[kinds.get(field.type, "s")]
                column = pa.array([rng.choice((*some, None)) for _ in column], field.type)
            field = pa.field(field.name, column.type)
        table = table.set_column(place, field, column)
    file = io.BytesIO()
    parquet.write_table(
        table,
        file,
        compression=rng.choice(("none", "snappy", "gzip", "zstd")),
        use_dictionary=rng.random() < 0.5,
        row_group_size=rng.choice((2, 100)),
        store_schema=rng.random() < 0.5,
    )
    data = file.getvalue()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    if kind == "pages":
        return (
            data[:4]
            + damage(rng, data[4:start])[: start - 4].ljust(start - 4, b"\0")
            + data[start:]
        )
    if kind == "footer":
        footer = damage(rng, data[start:-8])
        return data[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    return damage(rng, data) if kind == "bytes" else data


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.Array:
    """The column as another type, of nulls where it has no such values."""
    try:
        return column.cast(wanted).combine_chunks()
    except pa.ArrowException:
        return pa.nulls(len(column), wanted)
