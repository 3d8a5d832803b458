"""Classes of sentiment, cut from the score that people gave an utterance."""

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
    """Cuts a score into the classes of `SENTIMENTS[num_classes]`.

    Seven: the nearest of the integers from -3 to 3, the even one of two, as the field computes
    Acc-7. Two: below 0, above 0.

    Args:
        score: `[U]`, floating, NaN where there is none.
        num_classes: 2 or 7.

    Returns:
        `[U]` int64; -1 for the zeros that are in neither of two classes, -100 where there is none.
    """
    known = score.nan_to_num(0.0)
    if num_classes == 7:
        y = 3 + known.clamp(-3, 3).round().long()
    else:
        y = torch.where(known == 0, LEAVE_OUT, (known > 0).long())
    return torch.where(score.isnan(), MISSING, y)
