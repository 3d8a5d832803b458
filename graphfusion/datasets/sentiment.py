"""Converts sentiment scores to sentiment classes."""

import torch
from torch import Tensor

from graphfusion.data.labels import MISSING
from graphfusion.datasets.labels import LEAVE_OUT

SENTIMENTS = {
    2: ("negative", "positive"),
    7: (
        "highly negative",
        "negative",
        "weakly negative",
        "neutral",
        "weakly positive",
        "positive",
        "highly positive",
    ),
}


def cut(score: Tensor, num_classes: int) -> Tensor:
    """Converts scores to the classes of `SENTIMENTS[num_classes]`.

    Seven classes: rounded to the nearest integer in [-3, 3], halves to the even one, as for the
    metric Acc-7. Two classes: below 0 and above 0.

    Args:
        score: `[U]`, floating, NaN where missing.
        num_classes: 2 or 7.

    Returns:
        `[U]` int64, -100 where missing. With two classes, -1 for scores of 0, which are in neither.
    """
    known = score.nan_to_num(0.0)
    if num_classes == 7:
        y = 3 + known.clamp(-3, 3).round().long()
    else:
        y = torch.where(known == 0, LEAVE_OUT, (known > 0).long())
    return torch.where(score.isnan(), MISSING, y)
