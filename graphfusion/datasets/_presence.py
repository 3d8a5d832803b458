"""Between presence by name, as corpora and files have it, and as a `Conversation` takes it."""

from collections.abc import Mapping

import torch
from torch import Tensor

from graphfusion.data.conversation import Conversation


def present_by_name(conversation: Conversation) -> dict[str, Tensor]:
    """Which utterances have each modality: `{modality: [U] bool}`."""
    present = conversation.present
    if isinstance(present, Mapping):
        return dict(present)
    return dict(zip(conversation.features, present.unbind(1), strict=True))


def for_conversation(present: Mapping[str, Tensor]) -> Tensor:
    """The argument `present` of a `Conversation`, from `{modality: [U] bool}` for all of them."""
    return torch.stack(list(present.values()), 1)
