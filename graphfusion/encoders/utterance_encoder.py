"""The encoder of MM-DFN: from the features of each modality to node vectors."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch_geometric.nn.module_dict import ModuleDict

from graphfusion._utils.autocast import clamp_half
from graphfusion._utils.checks import (
    check_bool,
    check_features,
    check_in_channels,
    check_known,
    check_real,
    check_size,
    unique_names,
)
from graphfusion._utils.weights import first_weight
from graphfusion.data.alignment import align
from graphfusion.data.layout import BatchLayout, as_layout
from graphfusion.data.masking import finite, restore_valid, select
from graphfusion.data.standardize import Standardize, Standardized
from graphfusion.encoders.context import ContextEncoder
from graphfusion.encoders.speaker import SpeakerEncoder
from graphfusion.encoders.speaker_normalize import speaker_normalize


class UtteranceEncoder(torch.nn.Module):
    r"""Encodes each modality of each utterance as a node vector (MM-DFN, modality encoder).

    .. math:: x_{u,m} = \mathrm{context}_m(p)_u + w_m \, \mathrm{speaker}(p)_{u,m}

    where :math:`p_{u,m}` are the standardised features, projected to D channels. Where a modality
    has no context encoder, :math:`p` takes its place. One speaker encoder serves all
    modalities; it reads the projections.

    Args:
        in_channels: `{modality: d_m}`; its order numbers the nodes.
        channels: Size D of the projections and node vectors, even if `bidirectional`.
        speaker_weights: `{modality: w_m}`, 1 for those not named. With no weight but 0 there is no
            speaker encoder, and no speaker is needed.
        context: The modalities that have a context encoder.
        speaker_normalized: The modalities of which the projection also reads the features less
            their speaker's mean (:func:`speaker_normalize`; not in the paper).
        dropout: Probability of dropping a value between the layers of the GRUs.
        bidirectional: Whether the GRUs read in both directions, or forward only.

    Attributes:
        standardize: The :class:`Standardize` that the features pass first; to be fitted to the
            training conversations.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a size is not positive, a name is no modality, or `speaker_normalized` names
            one where the encoder is not `bidirectional`.

    Shapes:
        - **input:** features `{modality: [U, d_m]}`, the batch's layout.
        - **output:** `[U, M, D]`.

    Example:
        >>> import torch
        >>> encoder = UtteranceEncoder({"audio": 6, "text": 10}, channels=8, context=["text"])
        >>> layout = BatchLayout(torch.tensor([0, 3, 5]), speaker=torch.tensor([0, 1, 0, 0, 1]))
        >>> encoder({"text": torch.randn(5, 10), "audio": torch.randn(5, 6)}, layout).shape
        torch.Size([5, 2, 8])
    """

    def __init__(
        self,
        in_channels: Mapping[str, int],
        channels: int = 200,
        speaker_weights: Mapping[str, float] | None = None,
        context: Sequence[str] = (),
        speaker_normalized: Sequence[str] = (),
        dropout: float = 0.0,
        bidirectional: bool = True,
    ) -> None:
        super().__init__()
        speaker_weights = {} if speaker_weights is None else speaker_weights
        check_in_channels(in_channels)
        if not isinstance(speaker_weights, Mapping):
            raise TypeError(
                f"speaker_weights must map names to numbers, but got {speaker_weights!r}."
            )
        context = unique_names("context", context)
        speaker_normalized = unique_names("speaker_normalized", speaker_normalized)
        check_known("speaker_weights", speaker_weights, in_channels)
        check_known("context", context, in_channels)
        check_known("speaker_normalized", speaker_normalized, in_channels)
        for name, weight in speaker_weights.items():
            check_real(f"speaker_weights[{name!r}]", weight)
        check_bool("bidirectional", bidirectional)
        check_size("channels", channels, least=2 if bidirectional else 1)
        if bidirectional and channels % 2:
            raise ValueError(f"channels must be even, for two directions, but got {channels}.")
        if speaker_normalized and not bidirectional:
            raise ValueError(
                "speaker_normalized must be empty where causal is, for a speaker's "
                f"mean is over later utterances, too, but got {list(speaker_normalized)}."
            )
        self.in_channels = dict(in_channels)
        self.out_channels = channels
        self.speaker_weights = {name: float(speaker_weights.get(name, 1)) for name in in_channels}
        self.speaker_normalized = speaker_normalized
        self.bidirectional = bool(bidirectional)
        self.standardize = Standardize(in_channels)
        self.projections = ModuleDict(
            {
                name: torch.nn.Linear(size * 2 if name in speaker_normalized else size, channels)
                for name, size in in_channels.items()
            }
        )
        hidden = channels // 2 if bidirectional else channels  # of a direction
        self.contexts = ModuleDict(
            {
                name: ContextEncoder(
                    channels, hidden, dropout=dropout, bidirectional=self.bidirectional
                )
                for name in context
            }
        )
        self.speaker_encoder = (
            SpeakerEncoder(channels, hidden, dropout=dropout, bidirectional=self.bidirectional)
            if any(self.speaker_weights.values())
            else None
        )

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities' names, in the order of the nodes."""
        return tuple(self.in_channels)

    def reset_parameters(self) -> None:
        """Reinitialises the weights, and resets the statistics of `standardize`."""
        self.standardize.reset_parameters()
        for module in (*self.projections.values(), *self.contexts.values()):
            module.reset_parameters()
        if self.speaker_encoder is not None:
            self.speaker_encoder.reset_parameters()

    def forward(self, features: Mapping[str, Tensor], layout: Tensor | BatchLayout) -> Tensor:
        """Computes the node vectors of a batch.

        Args:
            features: `{modality: [U, d_m]}`, matched by name, in any floating dtype; values of
                absent modalities are ignored.
            layout: The batch's layout, with speakers unless no part needs them; or `ptr [B + 1]`.

        Returns:
            Node vectors `[U, M, D]`, in the dtype of the weights. Those of absent nodes are finite,
            and no others depend on them.

        Raises:
            TypeError: If the features are not floating tensors by name.
            ValueError: If a modality is missing or unknown, shapes disagree, the layout has absent
                modalities without names, or no speakers where they are needed.
        """
        weight = first_weight(self.projections)
        layout = align(as_layout(layout, weight.device), self.modalities)
        check_features(features, self.in_channels, layout.num_utterances)
        if not isinstance(features, Standardized):  # in a model, they are
            features = self.standardize(features)
        standardized = {
            name: select(features[name].to(weight.dtype), layout, m)
            for m, name in enumerate(self.modalities)
        }
        valid = None
        if not layout.is_screened:
            valid = finite(list(standardized.values()), layout)
            standardized = {
                name: x.where(valid.unsqueeze(1), 0) for name, x in standardized.items()
            }
            layout = layout.screened()
        projected = self.project(
            {
                name: torch.cat([x, speaker_normalize(x, layout, m)], 1)
                if name in self.speaker_normalized
                else x
                for m, (name, x) in enumerate(standardized.items())
            }
        )
        context = {
            name: self.contexts[name](x, layout, m)
            for m, (name, x) in enumerate(projected.items())
            if name in self.contexts
        }
        nodes = self.join(projected, context, self._encode_speakers(projected, layout))
        return restore_valid(nodes, valid)

    def project(self, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Projects standardised features to `[U, D]` each."""
        return {name: clamp_half(self.projections[name](value)) for name, value in x.items()}

    def join(
        self,
        projected: Mapping[str, Tensor],
        context: Mapping[str, Tensor],
        speaker: Mapping[str, Tensor],
    ) -> Tensor:
        """Adds context and weighted speaker encodings: node vectors `[U, M, D]`."""
        nodes = []
        for name, x in projected.items():
            node = context.get(name, x)
            if weight := self.speaker_weights[name]:
                node = torch.add(node, speaker[name], alpha=weight)
            nodes.append(node)
        return torch.stack(nodes, 1)

    def _encode_speakers(self, x: dict[str, Tensor], layout: BatchLayout) -> dict[str, Tensor]:
        if self.speaker_encoder is None:
            return {}
        names = list(x)
        if layout.present is None:  # else the layout's sequences are those of all modalities
            names = [name for name in names if self.speaker_weights[name]]
        encoded = self.speaker_encoder(torch.stack([x[name] for name in names], 1), layout)
        return dict(zip(names, encoded.unbind(1), strict=True))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, channels={self.out_channels})"
