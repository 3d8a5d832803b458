"""Modality dropout: modalities masked at random in training."""

from collections.abc import Mapping

import torch
from torch import Tensor

from graphfusion._utils.checks import check_real
from graphfusion.data.layout_checks import stack_columns


def modality_dropout(present: Mapping[str, Tensor], p: float) -> dict[str, Tensor]:
    """Masks each modality of each utterance with probability `p`, independently.

    For training only, so that a model learns from incomplete utterances:
    `model(features, speaker, ptr, modality_dropout(batch.present, 0.3))`, with a mask drawn anew at
    each step. An utterance may lose all of its modalities.

    Args:
        present: `{modality: [U] bool}`, which utterances have each modality.
        p: The probability, in [0, 1].

    Returns:
        New masks `[U]` by name; what was absent stays absent. Drawn from the global
        generator of the device of `present`.

    Raises:
        TypeError: If `present` does not map names to bool tensors, or `p` is not a number.
        ValueError: If a shape is another, or `p` is not a probability.

    Example:
        >>> import torch
        >>> present = {"text": torch.tensor([True, True]), "audio": torch.tensor([True, False])}
        >>> modality_dropout(present, p=0.0)["audio"]
        tensor([ True, False])
    """
    if not isinstance(present, Mapping):
        raise TypeError(
            "present must be given by name, {modality: [U] bool}, but got "
            f"{type(present).__name__}."
        )
    joined = stack_columns(present)
    check_real("p", p, 0, 1)
    if joined is None:
        return {}
    # As one draw, so that a seed masks the same whatever the number of tensors.
    kept = joined & (torch.rand(joined.shape, device=joined.device) >= p)
    return dict(zip(present, kept.unbind(1), strict=True))
