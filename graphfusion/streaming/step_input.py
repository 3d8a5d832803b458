"""The arguments of a stream's step, checked before any hidden state changes."""

from collections.abc import Mapping

import torch
from torch import Tensor

from graphfusion._utils.autocast import largest_input
from graphfusion._utils.checks import check_known, check_range, check_tensor
from graphfusion._utils.tracing import is_traced
from graphfusion.data.masking import norms
from graphfusion.data.standardize import Standardize, Standardized


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


def check_present(
    present: Mapping[str, Tensor] | None,
    in_channels: Mapping[str, int],
    size: int,
    device: torch.device,
) -> dict[str, Tensor]:
    """The masks `[n]` of all modalities of the next utterances, in the order of the nodes.

    Args:
        present: `{modality: [n] bool}`; None, or a modality not named: present.
        in_channels: The sizes d_m, in the order of the nodes.
        size: n.
        device: That of a mask which is not given.

    Raises:
        TypeError: If it is not a mapping of bool tensors.
        ValueError: If a modality is unknown, or shapes disagree.
    """
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
    return mask


def standardize_step(
    standardize: Standardize,
    features: Mapping[str, Tensor],
    present: Mapping[str, Tensor],
    dtype: torch.dtype,
) -> Standardized:
    """Standardises the features of the next utterances, zeros where absent, for weights of a dtype.

    Raises:
        ValueError: If a feature is NaN, infinite or beyond the range of that dtype where present,
            and nothing is traced. It would be cached, and reach every later prediction.
    """
    standardized = Standardized(
        {
            name: x.where(present[name].unsqueeze(1), 0).to(dtype)
            for name, x in standardize(features).items()
        }
    )
    if not is_traced():
        _check_values(features, standardized, present)
    return standardized


def _check_values(
    features: Mapping[str, Tensor],
    standardized: Mapping[str, Tensor],
    present: Mapping[str, Tensor],
) -> None:
    names = list(standardized)
    absent = ~torch.stack([present[name] for name in names], 1)
    finite = norms([features[name] for name in names]).isfinite() | absent
    largest = norms(list(standardized.values()))
    dtype = standardized[names[0]].dtype
    fits = largest <= largest_input(dtype, largest.device)
    if bool((finite & fits).all()):  # one wait for a GPU
        return
    for name, known, inside in zip(
        names, finite.all(0).tolist(), fits.all(0).tolist(), strict=True
    ):
        if not known:
            raise ValueError(
                f"features[{name!r}] must be finite where present, but has NaN or infinity."
            )
        if not inside:
            raise ValueError(
                f"features[{name!r}] must be in the range of the weights' dtype, but standardised "
                "features leave it."
            )


def check_speaker(speaker: Tensor | None, size: int) -> Tensor:
    """Speakers `[n]` of the next utterances.

    Raises:
        TypeError: If it is not an int64 tensor.
        ValueError: If there are none, the shape is another one, or a speaker is negative.
    """
    if speaker is None:
        raise ValueError("speaker must be given for the speaker encoder, but got None.")
    check_tensor("speaker", speaker, [size], torch.int64)
    if speaker.min() < 0:
        raise ValueError(f"speaker must not be negative, but got {int(speaker.min())}.")
    return speaker
