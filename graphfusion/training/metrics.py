"""Metrics of each task, computed over labelled utterances."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import ModuleList
from torchmetrics import Accuracy, F1Score, Metric, MetricCollection
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


# Every process scores all data, so nothing must be combined over processes.
_ALONE: dict[str, Any] = {"sync_on_compute": False}


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

    Raises:
        ValueError: If `sentiment` is given for another task.
    """

    parts: Sequence[MetricCollection]

    def __init__(self, task: str, size: int, sentiment: bool = False) -> None:
        super().__init__()
        if sentiment and task != "regression":
            raise ValueError(
                f"sentiment must be False for {task}, but is True, as in the preset mosi: the "
                "labels must be scores, as load(..., labels='scores') or `graphfusion convert "
                "--labels scores` reads them."
            )
        self.task = task
        if task == "regression":
            scores: dict[str, Metric | MetricCollection] = {
                "mae": MeanAbsoluteError(**_ALONE),
                "corr": PearsonCorrCoef(**_ALONE),
            }
        elif task == "classification":
            scores = _of_classes("multiclass", size)
        else:  # the multilabel metrics require at least two labels
            scores = _of_classes("multilabel" if size > 1 else "binary", size)
        # The correlation of large scores loses all digits in float32.
        parts = [MetricCollection(scores).set_dtype(torch.float64)]
        if sentiment:
            signs, sevens = _of_classes("multiclass", 2), _of_classes("multiclass", 7)
            parts.append(MetricCollection({"acc2": signs["accuracy"], "f1": signs["f1"]}))
            parts.append(MetricCollection({"acc7": sevens["accuracy"]}))
        self.parts = ModuleList(parts)  # type: ignore[assignment]
        self.labelled = False

    def update(self, logits: Tensor, y: Tensor) -> None:
        """Adds the logits `[U, K]` and labels of a batch."""
        if not labelled(y).any():
            return
        self.labelled = True
        if self.task == "classification":
            given = [(logits, y)]
        elif self.task == "multilabel":
            given = [(logits.sigmoid(), y.nan_to_num(MISSING).long())]
        else:
            known = ~y.isnan()
            found, sign = logits.reshape(y.shape), cut(y, 2)
            given = [
                (found[known].double(), y[known].double()),
                ((found > 0).long(), sign.where(sign >= 0, MISSING)),
                (cut(found, 7), cut(y, 7)),
            ]
        for part, values in zip(self.parts, given, strict=False):
            part.update(*values)

    def compute(self) -> dict[str, float]:
        """Returns the metrics over all batches since :meth:`reset`; NaN if nothing was labelled."""
        if not self.labelled:
            return {name: math.nan for part in self.parts for name in map(str, part)}
        with warnings.catch_warnings():
            # The correlation of constant scores is undefined; the result is NaN.
            warnings.filterwarnings("ignore", "The variance of predictions or target")
            return {
                name: float(value) for part in self.parts for name, value in part.compute().items()
            }

    def reset(self) -> None:
        """Resets all metrics."""
        self.labelled = False
        for part in self.parts:
            part.reset()


def _of_classes(kind: str, size: int) -> dict[str, Metric | MetricCollection]:
    """Accuracy and weighted F1 of labels of a kind of TorchMetrics."""
    options: dict[str, Any] = {"task": kind, "num_classes": size, "num_labels": size}
    options |= {"ignore_index": MISSING, **_ALONE}
    average: Literal["micro", "macro"] = "micro" if kind == "multiclass" else "macro"
    return {
        "accuracy": Accuracy(average=average, **options),
        "f1": F1Score(average="weighted", **options),
    }
