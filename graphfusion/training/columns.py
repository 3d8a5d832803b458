"""The labels in a table of predictions, and which of them were predicted."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from graphfusion.data.labels import MISSING, LabelSpec
from graphfusion.datasets.corpus import Corpus


def label_columns(spec: LabelSpec) -> list[str]:
    """The columns of labels: `label`, or of several classes at once a `label NAME` for each."""
    if spec.task == "multilabel":
        return [f"label {name}" for name in spec.classes]
    return ["label"]


def label_values(corpus: Corpus, split: str) -> dict[str, list[object]]:
    """What these columns have for each utterance of a split; None (or NaN) where missing.

    A class's name, or a score; of several classes at once, 1 or 0 for each.
    """
    spec = LabelSpec(corpus.task, corpus.classes)
    y = torch.cat(corpus.labels(split))
    if spec.task == "multilabel":
        return dict(zip(label_columns(spec), y.T.tolist(), strict=True))
    if spec.task == "regression":
        return {"label": [None if score != score else score for score in y.tolist()]}
    return {"label": [None if k == MISSING else spec.classes[k] for k in y.tolist()]}


def labelled_rows(table: pd.DataFrame, spec: LabelSpec) -> pd.DataFrame:
    """The rows that have a label, of several at least one, numbered from 0."""
    known = table[label_columns(spec)].notna().any(axis=1)
    return table[known].reset_index(drop=True)


def by_class(table: pd.DataFrame, spec: LabelSpec) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which classes apply to each row, and which are predicted, `[rows, K]` each.

    Where there is no label, neither is true.
    """
    if spec.task == "multilabel":
        label = table[label_columns(spec)].to_numpy(dtype=float)
        probability = table[list(spec.classes)].to_numpy(dtype=float)
        return label == 1, (probability > 0.5) & ~np.isnan(label)
    names = np.array(spec.classes, dtype=object)
    known = table[["label"]].notna().to_numpy(dtype=bool)
    truth, guessed = (
        table[[key]].to_numpy(dtype=object) == names for key in ("label", "predicted")
    )
    return truth & known, guessed & known


def class_f1(table: pd.DataFrame, spec: LabelSpec) -> dict[str, float]:
    """The F1 of each class, of rows with labels; empty where none has one, or for scores."""
    known = labelled_rows(table, spec)
    if not spec.classes or not len(known):
        return {}
    truth, guessed = by_class(known, spec)
    either = truth.sum(0) + guessed.sum(0)
    f1 = 2 * (truth & guessed).sum(0) / np.maximum(either, 1)
    return dict(zip(spec.classes, f1.tolist(), strict=True))
