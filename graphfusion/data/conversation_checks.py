"""Checks of what a conversation is made of."""

from collections.abc import Mapping

import torch
from torch import Tensor

from graphfusion._utils.checks import check_modality, check_tensor


def check_features(features: object) -> int:
    """Checks names, dtypes and shapes, and returns the number of utterances."""
    if not isinstance(features, Mapping):
        raise TypeError(
            f"features must be a mapping of names to tensors, but got {type(features).__name__}."
        )
    if not features:
        raise ValueError("features must have at least one modality, but got none.")
    size: int | str = "U"
    for name, value in features.items():
        check_modality("features", name)
        check_tensor(f"features[{name!r}]", value, [size, "d"])
        if value.numel() == 0:
            raise ValueError(f"features[{name!r}] must not be empty, but got {list(value.shape)}.")
        size = len(value)
    return int(size)


def check_labels(y: object, size: int) -> None:
    """Checks the dtype and the length of labels, whatever their kind."""
    if not isinstance(y, Tensor) or not (y.is_floating_point() or y.dtype == torch.int64):
        got = y.dtype if isinstance(y, Tensor) else type(y).__name__
        raise TypeError(f"y must be a tensor, int64 or floating, but got {got}.")
    if y.dim() == 0 or len(y) != size:
        raise ValueError(f"y must have shape [{size}, ...], but got {list(y.shape)}.")


def complete_present(
    present: object, features: Mapping[str, Tensor], size: int
) -> dict[str, Tensor]:
    """Presence of all modalities, in the order of the features."""
    if present is None:
        present = {}
    if not isinstance(present, Mapping):
        raise TypeError(
            "present must be given by name, {modality: [U] bool}, but got "
            f"{type(present).__name__}."
        )
    if unknown := [name for name in present if name not in features]:
        raise ValueError(f"present must name some of {list(features)}, but got {unknown}.")
    completed = {}
    for name, value in features.items():
        here = present.get(name)
        if here is None:
            here = torch.ones(size, dtype=torch.bool, device=value.device)
        check_tensor(f"present[{name!r}]", here, [size], torch.bool)
        completed[name] = here
    return completed
