"""Classes of sentiment, cut from the score that people gave an utterance."""

import torch
from torch import Tensor

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

    Seven: below -2, [-2, -1), [-1, 0), 0, (0, 1], (1, 2], above 2. Two: below 0, above 0.

    Args:
        score: `[U]`, finite, floating.
        num_classes: 2 or 7.

    Returns:
        `[U]` int64; -1 for the zeros that are in neither of two classes.
    """
    if num_classes == 7:
        return (3 + score.sign() * score.abs().ceil().clamp(max=3)).long()
    return torch.where(score == 0, -1, (score > 0).long())
