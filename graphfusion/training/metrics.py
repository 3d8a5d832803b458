"""Metrics of each task, computed over labelled utterances."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryF1Score,
    MulticlassAccuracy,
    MulticlassF1Score,
    MultilabelAccuracy,
    MultilabelF1Score,
)
from torchmetrics.regression import MeanAbsoluteError, PearsonCorrCoef

from graphfusion.data.labels import MISSING, labelled
from graphfusion.datasets.sentiment import cut


@dataclass(frozen=True)
class Goal:
    """The score by which the epoch is chosen.

    Args:
        name: The name of the score.
        mode: "max" if greater values are better, "min" if smaller ones are.
    """

    name: str
    mode: str

    def best(self, values: list[float]) -> int:
        """Index of the first best value; NaN is worse than any other."""
        sign = 1 if self.mode == "max" else -1
        ranked = torch.tensor(values, dtype=torch.float64).mul(sign).nan_to_num(nan=-torch.inf)
        return int(ranked.argmax())


#: The goal of each task: weighted F1, or the mean absolute error.
GOALS = {
    "classification": Goal("f1", "max"),
    "regression": Goal("mae", "min"),
    "multilabel": Goal("f1", "max"),
}


class Scores(torch.nn.Module):
    """Metrics of logits and labels, accumulated over batches.

    - Classification and multilabel: accuracy and weighted F1.
    - Regression: mean absolute error and Pearson correlation.
    - Regression of sentiment, also: accuracy and weighted F1 of the sign, without labels of 0, and
      accuracy in seven classes, for which scores are rounded. The definitions are those of MMSA.

    Args:
        task: "classification", "regression" or "multilabel".
        size: Number of classes or scores K.
        sentiment: Whether scores are sentiment, from -3 to 3.
    """

    def __init__(self, task: str, size: int, sentiment: bool = False) -> None:
        super().__init__()
        self.task = task
        # Every process scores all data, so nothing must be combined over processes.
        alone: dict[str, Any] = {"sync_on_compute": False}
        if task == "classification":
            known: dict[str, Any] = {"num_classes": size, "ignore_index": MISSING, **alone}
            scores: dict[str, Metric | MetricCollection] = {
                "accuracy": MulticlassAccuracy(average="micro", **known),
                "f1": MulticlassF1Score(average="weighted", **known),
            }
        elif task == "multilabel" and size > 1:
            scores = {
                "accuracy": MultilabelAccuracy(size, ignore_index=MISSING, **alone),
                "f1": MultilabelF1Score(size, average="weighted", ignore_index=MISSING, **alone),
            }
        elif task == "multilabel":  # the multilabel metrics require at least two labels
            scores = {
                "accuracy": BinaryAccuracy(ignore_index=MISSING, **alone),
                "f1": BinaryF1Score(ignore_index=MISSING, **alone),
            }
        else:
            scores = {"mae": MeanAbsoluteError(**alone), "corr": PearsonCorrCoef(**alone)}
        self.scores = MetricCollection(scores)
        # The correlation of large scores loses all digits in float32.
        self.scores.set_dtype(torch.float64)
        self.labelled = False
        self.signs = self.sevens = None
        if task == "regression" and sentiment:
            accuracy = MulticlassAccuracy(2, average="micro", ignore_index=MISSING, **alone)
            f1 = MulticlassF1Score(2, average="weighted", ignore_index=MISSING, **alone)
            self.signs = MetricCollection({"acc2": accuracy, "f1": f1})
            seven = MulticlassAccuracy(7, average="micro", ignore_index=MISSING, **alone)
            self.sevens = MetricCollection({"acc7": seven})

    def update(self, logits: Tensor, y: Tensor) -> None:
        """Adds the logits `[U, K]` and labels of a batch."""
        if not labelled(y).any():
            return
        self.labelled = True
        if self.task == "classification":
            self.scores.update(logits, y)
        elif self.task == "multilabel":
            self.scores.update(logits.sigmoid(), y.nan_to_num(MISSING).long())
        else:
            self._update_scores(logits, y)

    def _update_scores(self, logits: Tensor, y: Tensor) -> None:
        y = y.reshape(logits.shape)
        known = ~y.isnan()
        self.scores.update(logits[known].double(), y[known].double())
        if self.signs is None or self.sevens is None:
            return
        found, y = logits.flatten(), y.flatten()
        sign = cut(y, 2)
        self.signs.update((found > 0).long(), sign.where(sign >= 0, MISSING))
        self.sevens.update(cut(found, 7), cut(y, 7))

    def compute(self) -> dict[str, float]:
        """Returns the metrics over all batches since :meth:`reset`; NaN if nothing was labelled."""
        parts = [each for each in (self.scores, self.signs, self.sevens) if each is not None]
        if not self.labelled:
            return {name: math.nan for part in parts for name in map(str, part)}
        with warnings.catch_warnings():
            # The correlation of constant scores is undefined; the result is NaN.
            warnings.filterwarnings("ignore", "The variance of predictions or target")
            found = [each for part in parts for each in part.compute().items()]
        return {name: float(value) for name, value in found}

    def reset(self) -> None:
        """Resets all metrics."""
        self.labelled = False
        for part in (self.scores, self.signs, self.sevens):
            if part is not None:
                part.reset()
