"""Tasks: classification, regression and multilabel classification."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from graphfusion._utils.checks import check_tensor
from graphfusion.data.labels import TASKS
from graphfusion.models.losses import focal_loss

Prediction = dict[str, float] | float


def check_task(task: str, num_classes: int) -> None:
    """Checks the name of a task and its number of outputs."""
    if task not in TASKS:
        raise ValueError(f"task must be one of {list(TASKS)}, but got {task!r}.")
    if task == "classification" and num_classes < 2:
        raise ValueError(
            "num_classes must be at least 2 for classification, but got 1, whose probability is 1 "
            "for every utterance; task='regression' predicts one score."
        )


def chosen(probabilities: Mapping[str, float]) -> str:
    """The names of several classes at once that are above one half, joined by "+"."""
    return "+".join(name for name, probability in probabilities.items() if probability > 0.5)


def predictions(logits: Tensor, task: str, names: Sequence[str]) -> list[Prediction]:
    """Converts logits `[U, K]` to a prediction for each utterance.

    Returns:
        `{class name: probability}` of each utterance; for regression `{name: score}`, or the score
        itself where there is only one.
    """
    logits = logits.cpu().double()
    if task == "classification":
        logits = logits.softmax(-1)
    elif task == "multilabel":
        logits = logits.sigmoid()
    rows = logits.tolist()
    if task == "regression" and len(names) == 1:
        return [score for (score,) in rows]
    return [dict(zip(names, row, strict=True)) for row in rows]


def task_loss(
    logits: Tensor,
    y: Tensor,
    task: str = "classification",
    gamma: float = 0.5,
    weight: Tensor | None = None,
) -> Tensor:
    """Training loss of a task.

    Focal loss for classification, the mean absolute error for regression, binary cross entropy for
    several labels; each a mean over the labels that are not missing.

    Args:
        logits: `[U, K]`.
        y: `[U]` int64 for classification; floating, of the shape of `logits` (or `[U]` where K is
            1), for the others. NaN: missing.
        task: One of "classification", "regression" and "multilabel".
        gamma: See :func:`focal_loss`; of classification only, and ignored elsewhere.
        weight: See :func:`focal_loss`; of classification only.

    Returns:
        A scalar, 0 where nothing has a label.

    Raises:
        TypeError: If `y` is of the wrong dtype.
        ValueError: If there is no such task, shapes disagree, or a weight is given for another task
            than classification.

    Example:
        >>> import torch
        >>> scores = torch.tensor([[1.0], [2.0]])
        >>> task_loss(scores, torch.tensor([0.5, torch.nan]), task="regression")
        tensor(0.5000)
    """
    if task not in TASKS:
        raise ValueError(f"task must be one of {list(TASKS)}, but got {task!r}.")
    if task == "classification":
        return focal_loss(logits, y, gamma, weight)
    if weight is not None:
        raise ValueError(f"weight must be None for {task}, but got {weight}.")
    check_tensor("logits", logits, ["U", "K"])
    check_tensor("y", y, ["..."])
    if y.dim() == 1:
        y = y.unsqueeze(1)
    check_tensor("y", y, logits.shape)
    known = ~y.isnan()
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    y = y.to(logits.dtype).where(known, 0)
    if task == "regression":
        loss = (logits - y).abs()
    else:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
    return loss.where(known, 0).sum() / known.sum().clamp(min=1)
