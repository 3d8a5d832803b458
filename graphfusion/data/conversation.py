"""One conversation, as PyTorch Geometric's `DataLoader` and `Batch` take it."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphfusion._utils.checks import check_finite, check_modality, check_tensor

#: The label of an utterance that has none, where labels are class numbers; for scores it is NaN.
MISSING = -100


class Conversation(Data):
    r"""A conversation as a :class:`torch_geometric.data.Data` whose nodes are its utterances.

    PyG's :class:`~torch_geometric.loader.DataLoader` packs conversations one after the other; a
    model takes the batch, matched by name. Further attributes (an identifier, say) may be set and
    are batched as PyG batches them.

    Args:
        features: `{modality: [U, d_m]}`, floating; any names, any number of them, in any order,
            finite wherever the modality is present.
        speaker: `[U]` int64, who said each utterance, numbered from 0 within the conversation by
            first appearance.
        y: `[U, ...]`, one label an utterance: class numbers, of which -100 is a missing one, or
            scores, of which NaN is; None: all are missing, as class numbers.
        present: `{modality: [U] bool}`, which utterances have a modality; one that is not named is
            present throughout. What lies in the features of an absent one may be anything, NaN
            included.
        **kwargs: Further attributes.

    Raises:
        TypeError: If an argument is not a tensor of the dtype above (`features` and `present`: a
            mapping).
        ValueError: If shapes disagree, there is no utterance or no modality, `present` names
            another modality, a speaker is negative, or a present feature is NaN or infinite.

    Without any argument it is the empty shell that PyG fills when it takes a batch apart.

    Example:
        >>> import torch
        >>> conversation = Conversation(
        ...     features={"text": torch.randn(3, 8), "audio": torch.randn(3, 4)},
        ...     speaker=torch.tensor([0, 1, 0]),
        ...     y=torch.tensor([2, 0, -100]),
        ...     present={"audio": torch.tensor([True, True, False])},
        ... )
        >>> conversation.num_nodes, conversation.present["text"]
        (3, tensor([True, True, True]))
    """

    features: dict[str, Tensor]
    speaker: Tensor
    y: Tensor
    present: dict[str, Tensor]

    def __init__(
        self,
        features: Mapping[str, Tensor] | None = None,
        speaker: Tensor | None = None,
        y: Tensor | None = None,
        present: Mapping[str, Tensor] | None = None,
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
        present = _complete(present, features, size)
        for name, value in features.items():
            check_finite(f"features[{name!r}]", value, present[name])
        super().__init__()
        y = torch.full_like(speaker, MISSING) if y is None else y
        self._fill(dict(features), speaker, y, present)
        for key, value in kwargs.items():
            setattr(self, key, value)

    def _fill(
        self,
        features: dict[str, Tensor],
        speaker: Tensor,
        y: Tensor,
        present: dict[str, Tensor],
        **further: Any,
    ) -> None:
        """Sets the attributes of an empty shell, all at once: PyG takes long for one by one."""
        (store,) = self.stores
        store._mapping |= {
            # Always stored, for PyG takes the attributes of a batch's first member: those of the
            # others would be lost, or missed. First, so that it compares the members before it
            # joins anything.
            "schema": {_Schema(features, y): None},
            "features": features,
            "speaker": speaker,
            "y": y,
            "present": present,
            # Without it, PyG cannot tell the number of utterances, and the batch has no `ptr`.
            "num_nodes": len(speaker),
            **further,
        }

    def subgraph(self, subset: Tensor) -> Self:
        """The conversation of some of its utterances.

        Args:
            subset: `[n]` int64, or `[U]` bool.

        Raises:
            ValueError: If there is no utterance among them.
        """
        if len(self.speaker[subset]) == 0:
            raise ValueError("subset must have at least one utterance, but got none.")
        part: Self = super().subgraph(subset)
        part.features = {name: value[subset] for name, value in self.features.items()}
        part.present = {name: value[subset] for name, value in self.present.items()}
        return part

    def __inc__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        if key not in self.features:
            return super().__inc__(key, value, *args, **kwargs)
        # PyG asks this of each member before it joins a feature.
        (schema,) = self.schema
        schema.check(self.features)
        # It offsets whatever has "batch" or "index" in its name, a modality inside a dict too.
        return 0

    def __cat_dim__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        return 0 if key in self.features else super().__cat_dim__(key, value, *args, **kwargs)


def trusted_conversation(
    features: dict[str, Tensor],
    speaker: Tensor,
    y: Tensor,
    present: dict[str, Tensor],
    **further: Any,
) -> Conversation:
    """A conversation of what is known to be as it should: nothing is checked.

    For who reads the same from a file again and again; the checks take longer than to read.
    """
    conversation = Conversation()
    conversation._fill(features, speaker, y, present, **further)
    return conversation


class _Schema(tuple[Any, ...]):
    """What all conversations of a batch must share; a dict's key, so that PyG compares it.

    PyG joins the dicts of a batch by looking up the first one's keys in all others. It ignores the
    further keys of those others, which would silently drop a modality. All schemas hash alike, so a
    lookup always ends in `__eq__`, and that refuses another schema.
    """

    def __new__(cls, features: Mapping[str, Tensor], y: Tensor) -> "_Schema":
        kind = "scores" if y.is_floating_point() else "classes"
        return super().__new__(cls, (_sizes(features), (kind, *y.shape[1:])))

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple.__new__, (type(self), tuple(self))

    def __hash__(self) -> int:
        return 0

    def check(self, features: Mapping[str, Tensor]) -> None:
        """Refuses a conversation whose features have changed since it was made."""
        if _sizes(features) != self[0]:
            raise ValueError(
                f"features must be those that the conversation was made with, {dict(self[0])}, but "
                f"got {dict(_sizes(features))}; make a new Conversation to add or change one."
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Schema):
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
                "torch.full([U], torch.nan)."
            )
        return True


def _sizes(features: Mapping[str, Tensor]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, value.size(1)) for name, value in features.items()))


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
        check_modality("features", name)
        check_tensor(f"features[{name!r}]", value, [size, "d"])
        if value.numel() == 0:
            raise ValueError(f"features[{name!r}] must not be empty, but got {list(value.shape)}.")
        size = len(value)
    return int(size)


def _complete(present: object, features: Mapping[str, Tensor], size: int) -> dict[str, Tensor]:
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
