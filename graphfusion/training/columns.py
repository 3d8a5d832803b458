"""Labels and probabilities of a table of predictions, and the F1 score of each class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphfusion.data.labels import MISSING, LabelSpec
from graphfusion.datasets.corpus import Corpus

#: Columns of tables of predictions, besides those of the classes.
_COLUMNS = ("conversation", "utterance", "turn", "label", "predicted", "set")


def check_names(spec: LabelSpec) -> None:
    """Checks that the names of classes can be those of columns.

    Raises:
        ValueError: If one is the name of another column.
    """
    deviations = {f"{name} std" for name in spec.classes}  # in tables of scores
    columns = {*_COLUMNS, *label_columns(spec), *deviations}
    if wrong := [name for name in spec.classes if name in columns]:
        raise ValueError(f"class_names must not be those of other columns, but got {wrong}.")


def label_columns(spec: LabelSpec) -> list[str]:
    """Names of the label columns: `label`; for multilabel tasks, `label NAME` of each class."""
    if spec.task == "multilabel":
        return [f"label {name}" for name in spec.classes]
    return ["label"]


def label_values(corpus: Corpus, split: str) -> dict[str, list[object]]:
    """Values of the label columns for each utterance of a split; None or NaN where missing.

    They are class names or scores; for multilabel tasks, 1 or 0 for each class.
    """
    spec = LabelSpec(corpus.task, corpus.classes)
    y = torch.cat(corpus.labels(split))
    if spec.task == "classification":
        return {"label": [None if k == MISSING else spec.classes[k] for k in y.tolist()]}
    return dict(zip(label_columns(spec), y.reshape(len(y), -1).T.tolist(), strict=True))


def labelled_rows(table: pd.DataFrame, spec: LabelSpec) -> pd.DataFrame:
    """Rows with a label (for multilabel tasks, with at least one), numbered from 0."""
    known = table[label_columns(spec)].notna().any(axis=1)
    return table[known].reset_index(drop=True)


def by_class(table: pd.DataFrame, spec: LabelSpec) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two boolean arrays `[rows, K]`: the true classes of each row, and the predicted ones.

    Both are false where the label is missing.
    """
    if spec.task == "multilabel":
        label = table[label_columns(spec)].to_numpy(dtype=float)
        probability = table[list(spec.classes)].to_numpy(dtype=float)
        return label == 1, (probability > 0.5) & ~np.isnan(label)
    names = np.array(spec.classes, dtype=object)
    known = table[["label"]].notna().to_numpy(dtype=bool)
    guessed = table[["predicted"]].to_numpy(dtype=object) == names
    return table[["label"]].to_numpy(dtype=object) == names, guessed & known


def class_f1(table: pd.DataFrame, spec: LabelSpec) -> dict[str, float]:
    """F1 score of each class over labelled rows; empty for regression or without labels."""
    known = labelled_rows(table, spec)
    if not spec.classes or not len(known):
        return {}
    truth, guessed = by_class(known, spec)
    either = truth.sum(0) + guessed.sum(0)
    f1 = 2 * (truth & guessed).sum(0) / np.maximum(either, 1)
    return dict(zip(spec.classes, f1.tolist(), strict=True))


def probabilities(table: pd.DataFrame, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Probabilities `[N, K]` and labels `[N]` of the labelled predictions."""
    known = table.dropna(subset=["label", *classes])
    label = pd.Index(classes).get_indexer(known["label"])
    probability = torch.tensor(known[list(classes)].to_numpy(dtype=float))
    return probability, torch.tensor(label, dtype=torch.int64)
