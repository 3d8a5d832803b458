"""Focal loss, and class weights."""

import torch
from torch import Tensor

from graphfusion._utils.checks import (
    check_not_empty,
    check_range,
    check_real,
    check_size,
    check_tensor,
)


def focal_loss(
    logits: Tensor,
    target: Tensor,
    gamma: float = 0.5,
    weight: Tensor | None = None,
    ignore_index: int = -100,
) -> Tensor:
    r"""Focal loss, which down-weights well-classified examples.

    .. math:: -w_y (1 - p_y)^\gamma \log p_y

    averaged over the utterances that have a label (MM-DFN, emotion classifier; Lin et al., ICCV
    2017). Where none has, the loss is 0 and so are its gradients.

    Args:
        logits: `[U, K]`.
        target: `[U]` int64, in [0, K), or `ignore_index` where there is no label.
        gamma: The focusing exponent, at least 0; 0 is cross entropy.
        weight: `[K]`, a weight for each class; None: ones.
        ignore_index: The target of an utterance without a label. Its logits may
            be NaN; they get no gradient.

    Returns:
        The mean, a scalar; in float32 at least.

    Raises:
        TypeError: If an argument is not a tensor of the right dtype.
        ValueError: If the shapes disagree, there is no utterance, `gamma` is negative, or (checked
            on the host only) a target is neither a class nor `ignore_index`.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 3.0]])
        >>> focal_loss(logits, torch.tensor([0, 0, -100]), gamma=0.5)
        tensor(0.5833)
    """
    check_tensor("logits", logits, ["U", "K"])
    check_tensor("target", target, [len(logits)], torch.int64)
    check_real("gamma", gamma, 0)
    check_not_empty("logits", logits)
    missing = target == ignore_index
    target = target.masked_fill(missing, 0)
    check_range("target", target, logits.size(1))
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    # Before the softmax, whose gradient would make NaN of 0 times a NaN.
    logits = logits.masked_fill(missing.unsqueeze(1), 0.0)
    log_p = logits.log_softmax(-1).gather(1, target.unsqueeze(1)).squeeze(1)
    # A sure prediction has 1 - p = 0, where the slope of a power below 1 is infinite.
    tiny = torch.finfo(log_p.dtype).tiny
    loss = log_p.expm1().neg().clamp_min(tiny) ** gamma * log_p
    if weight is not None:
        check_tensor("weight", weight, [logits.size(1)])
        loss = weight[target] * loss
    labelled = (len(target) - missing.sum()).clamp_min(1)
    return -loss.masked_fill(missing, 0.0).sum() / labelled


def class_weights(
    target: Tensor, num_classes: int, power: float = 1.0, ignore_index: int = -100
) -> Tensor:
    r"""Class weights of a loss, a power of the inverse frequency of each class.

    .. math:: w_k = (N / N_k)^{power}

    for N labelled utterances, N_k of them in class k (taken as 1 where there is none).

    Args:
        target: `[U]` int64, the labels of the training utterances, on any device.
        num_classes: K.
        power: 0 weighs all classes alike.
        ignore_index: The target of an utterance without a label, which does not count.

    Returns:
        `[K]`, for :func:`focal_loss`.

    Raises:
        TypeError: If `target` is not an int64 tensor.
        ValueError: If a target is neither a class nor `ignore_index`.

    Example:
        >>> import torch
        >>> class_weights(torch.tensor([0, 0, 0, 1, -100]), num_classes=2)
        tensor([1.3333, 4.0000])
    """
    check_tensor("target", target, ["U"], torch.int64)
    check_size("num_classes", num_classes)
    check_real("power", power)
    labels = target[target != ignore_index]
    check_range("target", labels, num_classes)
    counts = labels.bincount(minlength=num_classes).clamp_min(1)
    return (len(labels) / counts) ** power
