"""Modalities dropped at random in training, so that a model learns to do without them."""

import torch
from torch import Tensor

from graphfusion._utils.checks import check_real, check_tensor


def modality_dropout(present: Tensor, p: float) -> Tensor:
    """Drops each modality of each utterance with probability `p`, independently.

    For training only: `model(features, speaker, ptr, modality_dropout(present, 0.3))` with a mask
    drawn anew at each step. An utterance may lose all that it has.

    Args:
        present: `[U, M]` bool, which modalities each utterance has.
        p: The probability, in [0, 1].

    Returns:
        `[U, M]` bool, a new tensor; what was absent stays absent. Drawn from the global generator
        of the device of `present`.

    Raises:
        TypeError: If `present` is not a bool tensor, or `p` not a number.
        ValueError: If the shape of `present` is another, or `p` is not a probability.
    """
    check_tensor("present", present, ["U", "M"], torch.bool)
    check_real("p", p, 0, 1)
    return present & (torch.rand(present.shape, device=present.device) >= p)
