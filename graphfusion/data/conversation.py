"""One conversation, as PyTorch Geometric's `DataLoader` and `Batch` take it."""

from collections.abc import Mapping
from copy import copy
from typing import Any, Self

import torch
from torch import Tensor
from torch_geometric.data import Data

from graphfusion._utils.checks import check_finite, check_tensor
from graphfusion.data.batch_schema import Schema
from graphfusion.data.conversation_checks import check_features, check_labels, complete_present
from graphfusion.data.labels import MISSING


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
        y: `[U, ...]`, the labels: int64 class numbers `[U]`, -100 where missing; floating scores
            `[U]`, NaN where missing; or, of several classes at once, floating `[U, K]`, 1 where a
            class applies, 0 where it does not, NaN where missing. None: all are missing, as class
            numbers.
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
        size = check_features(features)
        assert features is not None  # noqa: S101 - for the type checker; checked above
        check_tensor("speaker", speaker, [size], torch.int64)
        assert speaker is not None  # noqa: S101
        if speaker.min() < 0:
            raise ValueError(f"speaker must not be negative, but got {int(speaker.min())}.")
        if y is not None:
            check_labels(y, size)
        present = complete_present(present, features, size)
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
        schema: Schema | None = None,
        **further: Any,
    ) -> None:
        """Sets the attributes of an empty shell, all at once: PyG takes long for one by one."""
        self._store._mapping |= {
            # Always stored, for PyG takes the attributes of a batch's first member: those of the
            # others would be lost, or missed. First, so that it compares the members before it
            # joins anything.
            "schema": {schema or Schema(features, y): None},
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
        # PyG asks this of each member before it joins a feature, and then a mask.
        if isinstance(value, Tensor) and value.is_floating_point():
            (schema,) = self.schema
            schema.check(self.features, self.present, self.speaker, self.y, self.num_nodes)
        # It offsets whatever has "batch" or "index" in its name, a modality inside a dict too.
        return 0

    def __cat_dim__(self, key: str, value: Any, *args: Any, **kwargs: Any) -> Any:
        return 0 if key in self.features else super().__cat_dim__(key, value, *args, **kwargs)


_EMPTY = Conversation()  # PyG copies a shell faster than it makes one


def trusted_conversation(
    features: dict[str, Tensor],
    speaker: Tensor,
    y: Tensor,
    present: dict[str, Tensor],
    schema: Schema | None = None,
    **further: Any,
) -> Conversation:
    """A conversation of what is known to be as it should: nothing is checked.

    For who reads the same from a file again and again; the checks take longer than to read. So does
    the schema, which is the same for all conversations of a file.
    """
    conversation = copy(_EMPTY)
    conversation._fill(features, speaker, y, present, schema, **further)
    return conversation
