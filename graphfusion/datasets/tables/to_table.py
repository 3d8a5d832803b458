"""From a corpus to a table with a row for each utterance."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from graphfusion._utils.extras import require
from graphfusion.data.conversation import Conversation
from graphfusion.data.labels import MISSING

_OWN = ("conversation", "turn", "split", "speaker", "label", "score")


def to_frame(
    classes: Sequence[str], splits: Mapping[str, Sequence[Conversation]], modalities: Sequence[str]
) -> Any:
    """The table, of pandas; see `Corpus.to_table`.

    Raises:
        ImportError: If pandas or pyarrow is not installed.
        ValueError: If a modality has the name of another column.
    """
    require("tables", "write tables")
    import pandas as pd

    if taken := [name for name in modalities if name in _OWN]:
        raise ValueError(f"modalities must have other names than columns, but got {taken}.")
    columns: dict[str, list[Any]] = {name: [] for name in (*_OWN, *modalities)}
    for split, conversations in splits.items():
        for each in conversations:
            size = len(each.y)
            columns["conversation"] += [each.id] * size
            columns["turn"] += range(size)
            columns["split"] += [split] * size
            columns["speaker"] += each.speaker.tolist()
            columns["label"] += _labels(each.y, classes)
            columns["score"] += each.score.tolist() if "score" in each else []
            for name in modalities:
                columns[name] += _vectors(each.features[name], each.present[name])
    if not columns["score"]:
        del columns["score"]
    objects = {*modalities, *(["label"] if classes else [])}
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=object if name in objects else None)
            for name, values in columns.items()
        }
    )


def _labels(y: Tensor, classes: Sequence[str]) -> list[Any]:
    if not classes:
        return y.tolist()
    return [None if number == MISSING else classes[number] for number in y.tolist()]


def _vectors(features: Tensor, present: Tensor) -> list[Any]:
    """An array a row, None where there is none."""
    values = features.detach().cpu()
    if values.dtype not in (torch.float64, torch.float32, torch.float16):  # numpy has no others
        values = values.float()
    rows = zip(values.numpy(), present.tolist(), strict=True)
    return [row.copy() if here else None for row, here in rows]
