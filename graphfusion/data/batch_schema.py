"""The modalities, sizes and kind of labels that the conversations of a batch share."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from graphfusion._utils.counted import counted


class Schema(tuple[Any, ...]):
    """A batch's modalities, sizes and kind of labels; a dict's key, so that PyG compares it.

    PyG joins the dicts of a batch by looking up the first one's keys in all others. It ignores the
    further keys of those others, which would silently drop a modality. All schemas hash alike, so a
    lookup always ends in `__eq__`, and that refuses another schema.
    """

    def __new__(cls, features: Mapping[str, Tensor], y: Tensor) -> "Schema":
        """The schema of a conversation with these features and labels."""
        return super().__new__(cls, (_sizes(features), _kind(y)))

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple.__new__, (type(self), tuple(self))

    def __hash__(self) -> int:
        return 0

    def check(
        self,
        features: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        speaker: Tensor,
        y: object,
        size: int,
    ) -> None:
        """Refuses a conversation of `size` utterances that has changed since it was made.

        Args:
            features: Its features now.
            present: Its masks now; PyG would drop, or miss, those of some modalities.
            speaker: Its speakers now.
            y: Its labels now; PyG would join labels of any kind and number, and convert -100 to a
                score.
            size: The number of its utterances when it was made, which PyG relies on.
        """
        if _sizes(features) != self[0]:
            raise ValueError(
                f"features must be those that the conversation was made with, {dict(self[0])}, but "
                f"got {dict(_sizes(features))}; make a new Conversation to add or change one."
            )
        if present.keys() != features.keys():
            raise ValueError(
                f"present must have a mask of each of {list(features)}, but has "
                f"{list(present)}; make a new Conversation to change it."
            )
        lengths = {len(each) for each in (*features.values(), *present.values(), speaker)}
        if lengths != {size}:
            raise ValueError(
                f"features, present and speaker must have {counted(size, 'utterance')}, as the "
                f"conversation was made with, but have {sorted(lengths)}; make a new Conversation "
                "to add or remove some."
            )
        if not isinstance(y, Tensor) or y.dim() == 0 or len(y) != size or _kind(y) != self[1]:
            kind, *shape = self[1]
            got = f"{y.dtype} {list(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
            raise ValueError(
                f"y must be {kind} {[size, *shape]}, as those that the conversation was made with, "
                f"but got {got}; make a new Conversation to change their kind."
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schema):
            return False
        if self[0] != other[0]:
            raise ValueError(
                "features of the conversations in one batch must have the same modalities and "
                f"sizes, but got {dict(self[0])} and {dict(other[0])}."
            )
        if self[1] != other[1]:
            raise ValueError(
                "y of the conversations in one batch must be of one kind and shape, but got "
                f"{self[1]} and {other[1]}; without labels among scores, it is "
                "torch.full([U], torch.nan), and among several classes torch.full([U, K], "
                "torch.nan)."
            )
        return True


def _sizes(features: Mapping[str, Tensor]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, value.size(1)) for name, value in features.items()))


def _kind(y: Tensor) -> tuple[str | int, ...]:
    if y.is_floating_point():
        return "scores", *y.shape[1:]
    return "classes" if y.dtype == torch.int64 else str(y.dtype), *y.shape[1:]
