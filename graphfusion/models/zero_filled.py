"""Zero-filling of absent modalities, the baseline that masking is compared with."""

from collections.abc import Mapping
from typing import Any

import torch

from graphfusion.data.layout import BatchLayout
from graphfusion.data.standardize import Standardize
from graphfusion.models.conversation_model import ConversationModel


class Unmasked(torch.nn.Module):
    """An encoder or a graph builder without the mask: absent modalities are zeros in its input."""

    def __init__(self, part: torch.nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Any, layout: BatchLayout) -> Any:
        """Returns the part's output for a layout in which all modalities are present."""
        return self.part(x, BatchLayout(layout.ptr, layout.speaker).screened())


class UnmaskedEncoder(Unmasked):
    """An encoder without the mask, with the attributes that a model needs of an encoder."""

    @property
    def in_channels(self) -> Mapping[str, int]:
        """`{modality: d_m}`."""
        return self.part.in_channels  # type: ignore[return-value]

    @property
    def out_channels(self) -> int:
        """D."""
        return self.part.out_channels  # type: ignore[return-value]

    @property
    def standardize(self) -> Standardize:
        """The encoder's."""
        return self.part.standardize  # type: ignore[return-value]


def zero_filled(model: ConversationModel) -> ConversationModel:
    """The same model with absent modalities zero-filled instead of masked.

    They are zeros once standardised, that is, the mean of the training conversations.
    """
    return ConversationModel(
        UnmaskedEncoder(model.encoder),
        Unmasked(model.graph),
        model.fusion,
        model.head,
        model.class_names,
        model.task,
    )
