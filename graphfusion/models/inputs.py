"""Input of a model: checked, standardised and masked once, before its parts run."""

from collections.abc import Mapping

import torch
from torch import Tensor

from graphfusion._utils.autocast import largest_input
from graphfusion._utils.checks import check_features
from graphfusion.data.alignment import align
from graphfusion.data.conversation import Conversation
from graphfusion.data.layout import BatchLayout, as_layout
from graphfusion.data.masking import finite, norms
from graphfusion.data.standardize import Standardized

Features = Conversation | Mapping[str, Tensor]


def layout_of(
    features: Features,
    speaker: Tensor | BatchLayout | None,
    ptr: Tensor | BatchLayout | None,
    present: Mapping[str, Tensor] | None,
    device: torch.device,
) -> BatchLayout:
    """Builds the layout of a batch from the arguments of `forward`, on the weights' device.

    Raises:
        TypeError: If an argument is not a tensor of the right dtype, or presence not by name.
        ValueError: If arguments contradict each other, or there is no `ptr`.
    """
    if isinstance(features, Conversation):
        if not (speaker is None and ptr is None and present is None):
            raise ValueError(
                "speaker, ptr and present must be left out where a batch of conversations, "
                "which has its own, is given."
            )
        return BatchLayout.of(features).to(device)
    if isinstance(speaker, BatchLayout):
        if ptr is not None or present is not None:
            raise ValueError("ptr and present must be left out where a BatchLayout is given.")
        speaker, ptr = None, speaker
    if ptr is None:
        raise ValueError(
            "ptr must be given, torch.tensor([0, U]) for one conversation of U utterances, or "
            "a BatchLayout in speaker's place, but got None."
        )
    if present is not None and not isinstance(present, Mapping):
        raise TypeError(
            "present must be given by name, {modality: [U] bool}, as features are, but got "
            f"{type(present).__name__}."
        )
    if not isinstance(ptr, BatchLayout):
        return BatchLayout(ptr, speaker, present).to(device)
    layout = as_layout(ptr, device)
    if present is not None and layout.num_modalities is not None:
        raise ValueError("present must be left out where the layout has its own.")
    if speaker is not None and layout.speaker is not None:
        raise ValueError("speaker must be left out where the layout has its own.")
    if present is None and speaker is None:
        return layout
    mask: Mapping[str, Tensor] | Tensor | None = present
    if present is None and layout.present is not None:
        mask = layout.present
        if layout.modalities is not None:
            mask = dict(zip(layout.modalities, layout.present.unbind(1), strict=True))
    return BatchLayout(layout.ptr, layout.speaker if speaker is None else speaker, mask).to(device)


def screen_features(
    features: Features, layout: BatchLayout, encoder: torch.nn.Module, dtype: torch.dtype
) -> tuple[Standardized, BatchLayout, Tensor]:
    """Checks and standardises features, and zeroes absent ones, non-finite and too large ones.

    Args:
        features: In any floating dtype.
        layout: The batch's.
        encoder: Has `in_channels`, and perhaps `standardize`.
        dtype: That of the weights.

    Returns:
        The features in that dtype, the layout in the encoder's order of modalities, and `[U]` bool,
        which utterances are of finite conversations.
    """
    if isinstance(features, Conversation):
        features = features.features
    in_channels: dict[str, int] = dict(encoder.in_channels)  # type: ignore[arg-type]
    check_features(features, in_channels, layout.num_utterances)
    layout = align(layout, tuple(in_channels))
    standardized = getattr(encoder, "standardize", Standardized)(features)
    # Both: clipping makes infinity finite, and a cast what is finite infinite.
    largest = norms([standardized[name] for name in in_channels])
    fits = largest <= largest_input(dtype, largest.device)
    valid = finite([features[name] for name in in_channels], layout, fits)
    present, zero = valid.unsqueeze(1), torch.zeros((), dtype=dtype, device=valid.device)
    columns = [present] * len(in_channels)
    if layout.present is not None:
        columns = list((present & layout.present).split(1, 1))
    screened = Standardized()
    for name, column in zip(in_channels, columns, strict=True):
        screened[name] = standardized[name].where(column, zero).to(dtype)
    return screened, layout, valid
