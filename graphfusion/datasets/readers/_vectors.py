"""Converts the arrays of a file to the features of a conversation."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphfusion.datasets.readers._options import Options


def check_vectors(name: str, shape: tuple[int, ...], frames: Literal["mean"] | None) -> None:
    """Checks the shape of the features of one utterance.

    Args:
        name: The name of the modality.
        shape: `[d]`, or `[T, d]` if frames are averaged.
        frames: See :class:`Options`.

    Raises:
        ValueError: If the shape is another one.
    """
    if len(shape) == 2 and frames is None:
        raise ValueError(
            f"{name} must be one vector per utterance, but has frames, {list(shape)}: average them "
            "beforehand, or set frames='mean'."
        )
    if len(shape) not in (1, 2) or 0 in shape:
        raise ValueError(f"{name} must be one vector per utterance, but has {list(shape)}.")


def average(frames: NDArray[Any], missing: Literal["nan"] | None) -> NDArray[Any]:
    """Averages frames over time, excluding all-zero frames, which are padding.

    Args:
        frames: `[..., T, d]`, of any numeric dtype.
        missing: See :class:`Options`; "nan": frames that are all NaN are excluded, too.

    Returns:
        `[..., d]` float64; NaN where excluding NaN frames leaves no frame.
    """
    counted = (frames != 0).any(-1)
    lacking = np.zeros_like(counted) if missing is None else np.isnan(frames).all(-1)
    counted &= ~lacking
    total = frames.sum(-2, dtype=np.float64, where=counted[..., None])
    mean: NDArray[Any] = total / np.maximum(counted.sum(-1), 1)[..., None]
    mean[lacking.any(-1) & ~counted.any(-1)] = np.nan
    return mean


def to_features(
    arrays: Mapping[str, NDArray[Any]],
    masks: Mapping[str, NDArray[np.bool_]],
    options: Options,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Converts arrays to a conversation's features and presence masks; values are not checked.

    Args:
        arrays: `{modality: [U, d]}` or `[U, T, d]`, of any numeric dtype; values beyond float32
            become infinite.
        masks: `{modality: [U]}`, presence masks; modalities without one are present everywhere.
        options: The options of the reader.

    Returns:
        `{modality: [U, d] float32}` and `{modality: [U] bool}`.
    """
    features, present = {}, {}
    for name, values in arrays.items():
        array = average(values, options.missing) if values.ndim == 3 else values
        with np.errstate(over="ignore"):
            features[name] = torch.from_numpy(array.astype(np.float32))
        here = torch.ones(len(array), dtype=torch.bool)
        if name in masks:
            here = torch.from_numpy(masks[name].astype(bool))
        if options.missing == "nan":
            here &= ~features[name].isnan().all(1)
        present[name] = here
    return features, present
