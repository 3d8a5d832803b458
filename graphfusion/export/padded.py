"""Models on padded batches, in operators that can be exported."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch_geometric.data import Batch

from graphfusion._utils.evaluation import evaluation_view
from graphfusion.data.conversation import Conversation
from graphfusion.data.padding import padded_layout
from graphfusion.export.program import ANY, export
from graphfusion.models.baselines import GRUEncoder
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.zero_filled import Unmasked


class PaddedBatch(NamedTuple):
    """Conversations padded to the length of the longest: the input of a :class:`PaddedModel`.

    Attributes:
        features: `{modality: [B, T, d_m]}`.
        speaker: `[B, T]` int64.
        present: `{modality: [B, T]}` bool; false for all modalities of padding.
    """

    features: dict[str, Tensor]
    speaker: Tensor
    present: dict[str, Tensor]

    @classmethod
    def of(cls, conversations: Iterable[Conversation] | Conversation) -> Self:
        """Pads conversations.

        Args:
            conversations: Any number of them, one, or a PyG batch.

        Raises:
            TypeError: If there is anything else.
            ValueError: If there is none, or two have different modalities.
        """
        packed = conversations
        if not isinstance(packed, Conversation):
            several = list(packed)
            if not several:
                raise ValueError("conversations must not be empty.")
            for each in several:
                if not isinstance(each, Conversation):
                    raise TypeError(
                        f"conversations must be of Conversation, but got {type(each).__name__}."
                    )
            packed = Batch.from_data_list(several)
        lengths = packed.ptr.diff().tolist() if "ptr" in packed else [len(packed.speaker)]

        def pad(packed: Tensor) -> Tensor:
            return pad_sequence(packed.split(lengths), batch_first=True)

        return cls(
            {name: pad(value) for name, value in packed.features.items()},
            pad(packed.speaker),
            {name: pad(value) for name, value in packed.present.items()},
        )


class PaddedModel(torch.nn.Module):
    """Wraps a model to run on padded batches, in evaluation mode, for export.

    It shares the model's weights and computes the same logits. Instead of a layout, it takes a
    mask: padding is an utterance without any modality, and no other output depends on it.

    Args:
        model: Any :class:`ConversationModel` of the library's parts, but for the baselines `bigru`
            and `zero_filled`.

    Raises:
        TypeError: If it is none.
        ValueError: If it is one of these baselines.

    Shapes:
        - **input:** features `{modality: [B, T, d_m]}`, speaker `[B, T]`, present
          `{modality: [B, T]}`.
        - **output:** logits `[B, T, K]`, which are arbitrary for padding.

    Example:
        >>> import torch
        >>> from graphfusion import MMDFN, Conversation
        >>> from graphfusion.export import PaddedBatch, PaddedModel
        >>> model = MMDFN({"text": 10}, num_classes=4, num_layers=2)
        >>> batch = PaddedBatch.of(
        ...     Conversation({"text": torch.randn(n, 10)}, torch.arange(n) % 2) for n in (5, 3))
        >>> PaddedModel(model)(*batch).shape
        torch.Size([2, 5, 4])
    """

    def __init__(self, model: ConversationModel) -> None:
        super().__init__()
        if not isinstance(model, ConversationModel):
            raise TypeError(f"model must be a ConversationModel, but got {type(model).__name__}.")
        if masked := [each for each in model.modules() if isinstance(each, GRUEncoder | Unmasked)]:
            raise ValueError(
                "model must mask missing utterances, as which padding counts, but "
                f"{type(masked[0]).__name__} does not: bigru and zero_filled cannot be padded."
            )
        self.model = evaluation_view(model)
        self.eval()

    def forward(
        self, features: Mapping[str, Tensor], speaker: Tensor, present: Mapping[str, Tensor]
    ) -> Tensor:
        """Returns the logits of each utterance, `[B, T, K]`."""
        names = tuple(self.model.in_channels)
        mask = torch.stack([present[name] for name in names], 2)
        flat = {name: features[name].flatten(0, 1) for name in names}
        logits: Tensor = self.model(flat, padded_layout(speaker, mask, names))
        return logits.view(*speaker.shape, -1)

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs, in the order of the exported program."""
        names = list(self.model.in_channels)
        features, present = (
            [f"{kind}.{name}" for name in names] for kind in ("features", "present")
        )
        return [*features, "speaker", *present]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return ["logits"]

    def export(self) -> torch.export.ExportedProgram:
        """Exports the model with :func:`torch.export.export`, for any B and T."""
        weight, sizes = next(self.model.parameters()), self.model.in_channels
        example = PaddedBatch(  # any sizes and values
            {name: weight.new_zeros(3, 7, d) for name, d in sizes.items()},
            torch.zeros(3, 7, dtype=torch.int64, device=weight.device),
            {name: torch.ones(3, 7, dtype=torch.bool, device=weight.device) for name in sizes},
        )
        axes = {0: ANY, 1: ANY}
        shapes = (dict.fromkeys(sizes, axes), axes, dict.fromkeys(sizes, axes))
        return export(self, tuple(example), shapes)
