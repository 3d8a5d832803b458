"""Standardisation of features with the statistics of the training conversations."""

from collections.abc import Iterable, Mapping
from typing import Self

import torch
from torch import Tensor

from graphfusion._utils.checks import check_features, check_in_channels
from graphfusion.data.conversation import Conversation


class Standardize(torch.nn.Module):
    """Shifts and scales every feature to mean 0 and standard deviation 1.

    The statistics are buffers, so they are saved with the model that they precede. Until
    :meth:`fit`, the features pass unchanged.

    Args:
        in_channels: `{modality: d_m}`.

    Raises:
        TypeError: If `in_channels` does not map names to integers.
        ValueError: If there is no modality or a size is not positive.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, in_channels: Mapping[str, int]) -> None:
        super().__init__()
        check_in_channels(in_channels)
        self.in_channels = dict(in_channels)
        # One vector for all modalities: a buffer's name could not be that of any modality.
        self.register_buffer("mean", torch.zeros(sum(in_channels.values())))
        self.register_buffer("scale", torch.ones(sum(in_channels.values())))

    def fit(self, conversations: Iterable[Conversation]) -> Self:
        """Takes the statistics of these conversations, of each modality where it is present.

        A feature that never varies, or a modality that is never present, keeps its scale.

        Raises:
            TypeError: If there is anything but conversations.
            ValueError: If there is no conversation or one has other modalities.
        """
        if isinstance(conversations, Conversation):  # iterating over one gives its attributes
            conversations = [conversations]
        conversations = list(conversations)
        if not conversations:
            raise ValueError("conversations must not be empty.")
        for each in conversations:
            if not isinstance(each, Conversation):
                raise TypeError(
                    f"conversations must be of Conversation, but got {type(each).__name__}."
                )
            check_features(each.features, self.in_channels, "U")
        means, scales = [], []
        for name, size in self.in_channels.items():
            x = torch.cat([_here(each, name) for each in conversations])
            # In float64: sums of thousands of squares lose digits in float32.
            x = x.double() if len(x) else x.new_zeros(1, size).double()
            means.append(x.mean(0))
            scale = x.std(0, correction=0)
            # Rounding makes a constant's deviation tiny rather than zero; and what is smaller than
            # any normal number has no reciprocal.
            least = (1e-9 * x.abs().amax(0)).clamp(min=torch.finfo(self.scale.dtype).tiny)
            scales.append(scale.where(scale > least, 1))
        self.mean.copy_(torch.cat(means))
        self.scale.copy_(torch.cat(scales))
        return self

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the standardised features, `{modality: [U, d_m]}`, as new tensors.

        Raises:
            TypeError: If the features are not floating tensors by name.
            ValueError: If a modality is missing, unknown or of another size.
        """
        check_features(features, self.in_channels, "U")
        sizes = list(self.in_channels.values())
        parts = zip(self.in_channels, self.mean.split(sizes), self.scale.split(sizes), strict=True)
        out = {}
        for name, mean, scale in parts:
            out[name] = (features[name] - mean) / scale
        return out

    def reset_parameters(self) -> None:
        """Forgets the statistics."""
        self.mean.zero_()
        self.scale.fill_(1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels})"


def _here(conversation: Conversation, name: str) -> Tensor:
    """The features of a modality where it is present."""
    column = list(conversation.features).index(name)
    return conversation.features[name][conversation.present[:, column]]
