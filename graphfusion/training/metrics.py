"""What predictions are scored by, for each task; utterances without a label do not count."""

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
    """The score that chooses an epoch.

    Args:
        name: Its name among the scores.
        mode: "max" or "min", which is better.
    """

    name: str
    mode: str

    def best(self, values: list[float]) -> int:
        """The place of the best value, the first of equals; NaN is worse than all."""
        sign = 1 if self.mode == "max" else -1
        ranked = torch.tensor(values, dtype=torch.float64).mul(sign).nan_to_num(nan=-torch.inf)
        return int(ranked.argmax())


#: Weighted F1, or the mean absolute error.
GOALS = {
    "classification": Goal("f1", "max"),
    "regression": Goal("mae", "min"),
    "multilabel": Goal("f1", "max"),
}


class Scores(torch.nn.Module):
    """Scores of logits against labels, batch by batch.

    Accuracy and weighted F1 of classes; mean absolute error and Pearson correlation of scores, and
    of sentiment accuracy and F1 of its sign (zeros left out) and accuracy in seven classes, each a
    score rounded, as MMSA has them; accuracy and weighted F1 of several labels.

    Args:
        task: "classification", "regression" or "multilabel".
        size: K.
        sentiment: Whether scores are of sentiment.
    """

    def __init__(self, task: str, size: int, sentiment: bool = False) -> None:
        super().__init__()
        self.task = task
        # Every process scores all of the data, so there is nothing to put together.
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
        elif task == "multilabel":  # of one label, these refuse to be
            scores = {
                "accuracy": BinaryAccuracy(ignore_index=MISSING, **alone),
                "f1": BinaryF1Score(ignore_index=MISSING, **alone),
            }
        else:
            scores = {"mae": MeanAbsoluteError(**alone), "corr": PearsonCorrCoef(**alone)}
        self.scores = MetricCollection(scores)
        # A correlation of large scores has no digits left in float32.
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
        """Takes a batch's logits `[U, K]` and labels."""
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
        """The scores of all batches since :meth:`reset`; NaN where nothing had a label."""
        parts = [each for each in (self.scores, self.signs, self.sevens) if each is not None]
        if not self.labelled:
            return {name: math.nan for part in parts for name in map(str, part)}
        with warnings.catch_warnings():
            # Scores that are all the same have no correlation, which NaN says.
            warnings.filterwarnings("ignore", "The variance of predictions or target")
            found = [each for part in parts for each in part.compute().items()]
        return {name: float(value) for name, value in found}

    def reset(self) -> None:
        """Resets the metric."""
        self.labelled = False
        for part in (self.scores, self.signs, self.sevens):
            if part is not None:
                part.reset()
