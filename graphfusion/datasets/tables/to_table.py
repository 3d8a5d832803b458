"""Converts a corpus to a table with one row per utterance."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from graphfusion._utils.extras import require
from graphfusion.data.conversation import Conversation
from graphfusion.data.labels import MISSING, LabelSpec

_BEFORE, _AFTER = ("conversation", "turn", "split", "speaker"), ("score",)


def to_frame(
    spec: LabelSpec, splits: Mapping[str, Sequence[Conversation]], modalities: Sequence[str]
) -> Any:
    """Converts a corpus to a pandas frame, see `Corpus.to_table`.

    Raises:
        ImportError: If pandas or pyarrow is not installed.
        ValueError: If a modality, or a class of multilabel, has the name of another column, or only
            some conversations have a score.
    """
    require("tables", "write tables")
    import pandas as pd

    multilabel = spec.task == "multilabel"
    labels = spec.classes if multilabel else ("label",)
    own = [*_BEFORE, *labels, *_AFTER]
    if taken := [name for name in modalities if name in own]:
        raise ValueError(f"modalities must have other names than columns, but got {taken}.")
    if taken := [name for name in (*_BEFORE, *_AFTER) if name in labels]:
        raise ValueError(f"classes must have other names than columns, but got {taken}.")
    columns: dict[str, list[Any]] = {name: [] for name in (*own, *modalities)}
    for split, conversations in splits.items():
        for each in conversations:
            size = len(each.y)
            columns["conversation"] += [each.id] * size
            columns["turn"] += range(size)
            columns["split"] += [split] * size
            columns["speaker"] += each.speaker.tolist()
            for name, values in zip(labels, _labels(each.y, spec), strict=True):
                columns[name] += values
            columns["score"] += each.score.tolist() if "score" in each else []
            for name in modalities:
                columns[name] += _vectors(each.features[name], each.present[name])
    if not columns["score"]:
        del columns["score"]
    elif len(columns["score"]) != len(columns["turn"]):  # of files, known only once they are read
        raise ValueError("all conversations or none must have a score, but only some have one.")
    dtypes: dict[str, Any] = dict.fromkeys(modalities, object)
    if spec.classes:
        dtypes |= dict.fromkeys(labels, "Int64" if multilabel else object)
    return pd.DataFrame(
        {name: pd.Series(values, dtype=dtypes.get(name)) for name, values in columns.items()}
    )


def _labels(y: Tensor, spec: LabelSpec) -> list[list[Any]]:
    """Returns the values of each column of labels."""
    if spec.task == "multilabel":
        return [[None if each != each else int(each) for each in row] for row in y.T.tolist()]
    if spec.task == "regression":
        return [y.tolist()]
    return [[None if number == MISSING else spec.classes[number] for number in y.tolist()]]


def _vectors(features: Tensor, present: Tensor) -> list[Any]:
    """Converts features to one array per row, None where absent."""
    values = features.detach().cpu()
    if values.dtype not in (torch.float64, torch.float32, torch.float16):  # unknown to NumPy
        values = values.float()
    rows = zip(values.numpy(), present.tolist(), strict=True)
    return [row.copy() if here else None for row, here in rows]
