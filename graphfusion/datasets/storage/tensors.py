"""Converts a conversation to the tensors of the library's own format."""

from collections.abc import Sequence

import torch
from torch import Tensor

from graphfusion.datasets.checks.problems import AnyConversation


def to_tensors(conversation: AnyConversation, modalities: Sequence[str]) -> dict[str, Tensor]:
    """Returns a conversation's tensors by their names in the format.

    Args:
        conversation: The conversation.
        modalities: The names of its modalities, in the order of the columns of `present`.
    """
    present = [conversation.present[name] for name in modalities]
    tensors = {f"features.{name}": conversation.features[name] for name in modalities}
    tensors |= {"present": torch.stack(present, 1), "speaker": conversation.speaker}
    tensors["y"] = conversation.y
    score = getattr(conversation, "score", None)
    return tensors if score is None else tensors | {"score": score}
