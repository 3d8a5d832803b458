"""A classifier of single utterances, averaged with a conversation model."""

from collections.abc import Mapping

import torch
from torch import Tensor

from graphfusion._kernels.dropout import Dropout
from graphfusion._utils.autocast import clamp_half
from graphfusion._utils.checks import (
    check_dtype,
    check_features,
    check_in_channels,
    check_not_empty,
    check_real,
    check_size,
    check_tensor,
)
from graphfusion.models.named_linear import NamedLinear


class UtteranceClassifier(torch.nn.Module):
    """A classifier of single utterances without context, averaged with a conversation model.

    A network with one hidden layer and the model are the experts of a product (Hinton, Neural
    Computation 14(8), 2002): the logits are the mean of theirs. In training, each utterance's
    logits are those of one of the two, drawn with equal probability, so that both learn
    independently. Not in the paper.

    Args:
        in_channels: `{modality: d_m}`.
        hidden_channels: Size of the hidden layer.
        num_classes: Number K of classes.
        dropout: Probability of dropping a value of the hidden layer.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If a size is not positive or `dropout` is not a probability.

    Shapes:
        - **input:** features `{modality: [U, d_m]}`, logits `[U, K]`.
        - **output:** logits `[U, K]`.

    Example:
        >>> import torch
        >>> classifier = UtteranceClassifier({"text": 10}, hidden_channels=8, num_classes=4)
        >>> classifier({"text": torch.randn(5, 10)}, torch.randn(5, 4)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        in_channels: Mapping[str, int],
        hidden_channels: int,
        num_classes: int,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        check_in_channels(in_channels)
        check_size("hidden_channels", hidden_channels)
        check_size("num_classes", num_classes)
        check_real("dropout", dropout, 0, 1)
        self.in_channels = dict(in_channels)
        self.hidden = NamedLinear(in_channels, hidden_channels)
        self.dropout = Dropout(dropout)
        self.classifier = torch.nn.Linear(hidden_channels, num_classes)

    def reset_parameters(self) -> None:
        """Draws new weights."""
        self.hidden.reset_parameters()
        self.classifier.reset_parameters()

    def forward(self, features: Mapping[str, Tensor], logits: Tensor) -> Tensor:
        """Averages the logits of the two classifiers.

        Args:
            features: `{modality: [U, d_m]}`, standardised, zeros where absent.
            logits: `[U, K]`, those of a conversation model.

        Returns:
            Logits, `[U, K]`: the mean of both; in training, either the one's or the other's, drawn
            from the global generator of the device.

        Raises:
            TypeError: If an argument is not a tensor of the module's dtype.
            ValueError: If shapes disagree, or there is no utterance.
        """
        check_features(features, self.in_channels, "U")
        x = torch.cat([features[name] for name in self.in_channels], 1)
        check_not_empty("features", x)
        check_dtype("features", x, self.hidden.bias)
        # Not len(x), which would be fixed in what is exported.
        check_tensor("logits", logits, [x.size(0), self.classifier.out_features])
        check_dtype("logits", logits, self.hidden.bias)
        alone: Tensor = self.classifier(self.dropout(clamp_half(self.hidden(x)).relu()))
        if self.training:
            return alone.where(torch.rand(len(x), 1, device=x.device) < 0.5, logits)
        return alone / 2 + logits / 2  # their sum might leave the range of float16

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.in_channels}, {self.hidden.out_channels}, "
            f"num_classes={self.classifier.out_features})"
        )
