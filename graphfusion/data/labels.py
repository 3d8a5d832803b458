"""Kinds of labels: one class an utterance, several classes at once, or scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

#: The label of an utterance that has none, where labels are class numbers; elsewhere it is NaN.
MISSING = -100

#: One class of K; K scores of any range; each of K classes or not.
TASKS = ("classification", "regression", "multilabel")


def labelled(y: Tensor) -> Tensor:
    """Mask of the labels that are not missing: a bool for each number of `y`."""
    return ~y.isnan() if y.is_floating_point() else y != MISSING


@dataclass(frozen=True)
class LabelSpec:
    """The kind of labels of a corpus.

    Args:
        task: One of `TASKS`.
        classes: The names of the classes; none: the labels are scores.
    """

    task: str
    classes: tuple[str, ...]

    @classmethod
    def of(cls, classes: Sequence[str], y: Tensor | None) -> Self:
        """That of labels such as `y`: several classes at once where it has a row an utterance."""
        if not classes:
            return cls("regression", ())
        several = y is not None and y.dim() == 2
        return cls("multilabel" if several else "classification", tuple(classes))

    @property
    def shape(self) -> list[int | str]:
        """The shape of `y`, as :func:`check_tensor` takes it."""
        return ["U", len(self.classes)] if self.task == "multilabel" else ["U"]

    @property
    def dtype(self) -> torch.dtype | None:
        """The dtype of `y`; None: any floating one."""
        return torch.int64 if self.task == "classification" else None

    def blank(self, size: int) -> Tensor:
        """The labels of as many utterances that have none."""
        shape = [size, *(each for each in self.shape if isinstance(each, int))]
        return torch.full(shape, MISSING if self.task == "classification" else torch.nan)
