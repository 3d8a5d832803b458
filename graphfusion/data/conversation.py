"""One conversation, as PyTorch Geometric's `DataLoader` and `Batch` like it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphfusion._utils.checks import check_finite, check_tensor


class Conversation(Data):
    r"""A conversation as a :class:`torch_geometric.data.Data` whose nodes are its utterances.

    PyG's :class:`~torch_geometric.loader.DataLoader` packs conversations one after the other; the
    batch then has the `features`, `speaker`, `ptr` and `present` that :class:`~graphfusion.MMDFN`
    takes. Further attributes (an identifier, say) may be set and are batched as PyG batches them.

    Args:
        features: `{modality: [U, d_m]}`, floating; any names, any number of them, finite wherever
            the modality is present. The order of the names is the order of the modalities.
        speaker: `[U]` int64, who said each utterance, numbered from 0 within the conversation by
            first appearance.
        y: `[U, ...]`, one label an utterance.
        present: `[U, M]` bool, which modalities each utterance has; None: all of them. What lies
            in the features of an absent one may be anything, NaN included.
        **kwargs: Further attributes.

    Raises:
        TypeError: If an argument is not a tensor of the dtype above (`features`: a mapping).
        ValueError: If shapes disagree, there is no utterance or no modality, a speaker is negative,
            or a present feature is NaN or infinite.

    Without any argument it is the empty shell that PyG fills when it takes a batch apart.
    """

    features: dict[str, Tensor]
    speaker: Tensor
    y: Any
    present: Tensor

    def __init__(
        self,
        features: Mapping[str, Tensor] | None = None,
        speaker: Tensor | None = None,
        y: Tensor | None = None,
        present: Tensor | None = None,
        **kwargs: Any,
    ) -> None:
        if all(given is None for given in (features, speaker, y, present)) and not kwargs:
            super().__init__()
            return
        size = _check_features(features)
        assert features is not None  # noqa: S101 - for the type checker; checked above
        check_tensor("speaker", speaker, [size], torch.int64)
        assert speaker is not None  # noqa: S101
        if speaker.min() < 0:
            raise ValueError(f"speaker must not be negative, but got {int(speaker.min())}.")
        if y is not None and (not isinstance(y, Tensor) or y.dim() == 0 or len(y) != size):
            got = list(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise ValueError(f"y must be a tensor of shape [{size}, ...], but got {got}.")
        if present is None:
            present = torch.ones(size, len(features), dtype=torch.bool, device=speaker.device)
        check_tensor("present", present, [size, len(features)], torch.bool)
        for (name, value), here in zip(features.items(), present.unbind(1), strict=True):
            check_finite(f"features[{name!r}]", value, here)
        super().__init__()
        # First, so that PyG compares the members of a batch before it joins anything.
        self.schema = {_Schema(features, y): None}
        self.features = dict(features)
        self.speaker = speaker
        self.y = y
        # Always stored: PyG would drop the mask of a batch whose first member has none.
        self.present = present
        # Without it, PyG cannot tell the number of utterances, and the batch has no `ptr`.
        self.num_nodes = size
        for key, value in kwargs.items():
            setattr(self, key, value)

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        # PyG offsets whatever has "batch" or "index" in its name, a modality inside a dict too.
        return 0 if key in self.features else super().__inc__(key, value, *args, **kwargs)

    def __cat_dim__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        return 0 if key in self.features else super().__cat_dim__(key, value, *args, **kwargs)


class _Schema(tuple[object, ...]):
    """What all conversations of a batch must share; a dict's key, so that PyG compares it.

    PyG joins the dicts of a batch by looking up the first one's keys in all others. It ignores the
    further keys of those others, which would silently drop a modality. All schemas hash alike, so a
    lookup always ends in `__eq__`, and that refuses another schema.
    """

    def __new__(cls, features: Mapping[str, Tensor], y: Tensor | None) -> "_Schema":
        sizes = ((name, value.size(1)) for name, value in features.items())
        return super().__new__(cls, (*sizes, "labels" if y is not None else "no labels"))

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple.__new__, (type(self), tuple(self))

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Schema) and tuple(self) != tuple(other):
            raise ValueError(
                "features of the conversations in one batch must have the same modalities, in the "
                "same order and sizes, and all or none y, "
                f"but got {tuple(self)} and {tuple(other)}."
            )
        return isinstance(other, _Schema)


def _check_features(features: object) -> int:
    """Checks names, dtypes and shapes, and returns the number of utterances."""
    if not isinstance(features, Mapping):
        raise TypeError(
            f"features must be a mapping of names to tensors, but got {type(features).__name__}."
        )
    if not features:
        raise ValueError("features must have at least one modality, but got none.")
    size: int | str = "U"
    for name, value in features.items():
        if not isinstance(name, str) or not name:
            raise TypeError(f"features must be keyed by non-empty names, but got {name!r}.")
        check_tensor(f"features[{name!r}]", value, [size, "d"])
        if value.numel() == 0:
            raise ValueError(f"features[{name!r}] must not be empty, but got {list(value.shape)}.")
        size = len(value)
    return int(size)
