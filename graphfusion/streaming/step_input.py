"""The arguments of a stream's step, checked before any hidden state changes."""

from collections.abc import Mapping

import torch
from torch import Tensor

from graphfusion._utils.checks import (
    check_features,
    check_finite,
    check_known,
    check_range,
    check_tensor,
)


def check_conversation(conversation: Tensor, num_conversations: int) -> Tensor:
    """Conversations `[n]` that a step advances, on the host.

    Raises:
        TypeError: If it is not an int64 tensor.
        ValueError: If there is none, or one is unknown or there twice.
    """
    check_tensor("conversation", conversation, ["n"], torch.int64)
    conversation = conversation.cpu()
    check_range("conversation", conversation, num_conversations)
    if len(conversation) == 0 or len(conversation.unique()) < len(conversation):
        raise ValueError(
            f"conversation must name at least one, and each once, but got {conversation.tolist()}."
        )
    return conversation


def check_features_and_present(
    features: Mapping[str, Tensor],
    present: Mapping[str, Tensor] | None,
    in_channels: Mapping[str, int],
    size: int,
    device: torch.device,
) -> Tensor:
    """The mask `[n, M]` of the present modalities of the next utterances.

    Args:
        features: `{modality: [n, d_m]}`, finite where present.
        present: `{modality: [n] bool}`; None, or a modality not named: present.
        in_channels: The sizes d_m, in the order of the nodes.
        size: n.
        device: That of a mask which is not given.

    Raises:
        TypeError: If an argument is not a mapping of tensors of the right dtype.
        ValueError: If a modality is missing or unknown, shapes disagree, or a feature is NaN or
            infinite where present.
    """
    check_features(features, in_channels, size)
    present = {} if present is None else present
    if not isinstance(present, Mapping):
        raise TypeError(
            "present must be given by name, {modality: [n] bool}, as features are, but got "
            f"{type(present).__name__}."
        )
    check_known("present", present, in_channels)
    full = torch.ones(size, dtype=torch.bool, device=device)
    mask = {name: present.get(name, full) for name in in_channels}
    for name, column in mask.items():
        check_tensor(f"present[{name!r}]", column, [size], torch.bool)
        # A NaN would be cached, and reach every later prediction.
        check_finite(f"features[{name!r}]", features[name], column)
    return torch.stack(list(mask.values()), 1)


def check_speaker(speaker: Tensor | None, size: int) -> Tensor:
    """Speakers `[n]` of the next utterances.

    Raises:
        TypeError: If it is not an int64 tensor.
        ValueError: If the shape is another one, or a speaker is negative.
    """
    check_tensor("speaker", speaker, [size], torch.int64)
    assert speaker is not None  # noqa: S101 - for the type checker; checked above
    if speaker.min() < 0:
        raise ValueError(f"speaker must not be negative, but got {int(speaker.min())}.")
    return speaker
