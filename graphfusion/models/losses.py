"""The focal loss."""

import torch
from torch import Tensor

from graphfusion._utils.checks import check_not_empty, check_range, check_real, check_tensor


def focal_loss(
    logits: Tensor, target: Tensor, gamma: float = 0.5, weight: Tensor | None = None
) -> Tensor:
    r"""Focal loss over classes, which spends less on what is already predicted well.

    .. math:: -w_y (1 - p_y)^\gamma \log p_y

    averaged over utterances (MM-DFN, emotion classifier; Lin et al., ICCV 2017).

    Args:
        logits: `[U, K]`.
        target: `[U]` int64, in [0, K).
        gamma: The focusing exponent, at least 0; 0 is cross entropy.
        weight: `[K]`, a weight for each class; None: ones.

    Returns:
        The mean, a scalar; in float32 at least.

    Raises:
        TypeError: If an argument is not a tensor of the right dtype.
        ValueError: If the shapes disagree, there is no utterance, `gamma` is negative, or (checked
            on the host only) a target is no class; no number means "ignore".
    """
    check_tensor("logits", logits, ["U", "K"])
    check_tensor("target", target, [len(logits)], torch.int64)
    check_real("gamma", gamma, 0)
    check_not_empty("logits", logits)
    check_range("target", target, logits.size(1))
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    log_p = logits.log_softmax(-1).gather(1, target.unsqueeze(1)).squeeze(1)
    # A sure prediction has 1 - p = 0, where the slope of a power below 1 is infinite.
    tiny = torch.finfo(log_p.dtype).tiny
    loss = -((-log_p.expm1()).clamp_min(tiny) ** gamma) * log_p
    if weight is not None:
        check_tensor("weight", weight, [logits.size(1)])
        loss = weight[target] * loss
    return loss.mean()
