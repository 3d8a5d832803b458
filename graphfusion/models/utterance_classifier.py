"""What each utterance says alone, beside what it says in its conversation."""

import torch
from torch import Tensor

from graphfusion._kernels.dropout import Dropout
from graphfusion._utils.checks import (
    check_dtype,
    check_not_empty,
    check_real,
    check_size,
    check_tensor,
)


class UtteranceClassifier(torch.nn.Module):
    """A second opinion on each utterance, from one that hears nothing else of the conversation.

    Where context tells little, a plain network that has nothing else to look at may be as good as a
    model of conversations, and errs in other places. Here, one with a hidden layer stands beside
    the model, and both are the experts of a product (Hinton, Neural Computation 14(8), 2002): the
    logits are the mean of theirs. In training, an utterance's are either the one's or the other's,
    with even odds, so each learns as if there were no other. Trained by the mean, one would leave
    to the other what that one sees.

    Args:
        in_channels: Size of an utterance's vector.
        hidden_channels: Size of the hidden layer.
        num_classes: Number K of classes.
        dropout: Probability of dropping a value of the hidden layer.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If a size is not positive or `dropout` is not a probability.
    """

    def __init__(
        self, in_channels: int, hidden_channels: int, num_classes: int, dropout: float = 0.5
    ) -> None:
        super().__init__()
        check_size("in_channels", in_channels)
        check_size("hidden_channels", hidden_channels)
        check_size("num_classes", num_classes)
        check_real("dropout", dropout, 0, 1)
        self.hidden = torch.nn.Linear(in_channels, hidden_channels)
        self.dropout = Dropout(dropout)
        self.classifier = torch.nn.Linear(hidden_channels, num_classes)

    def reset_parameters(self) -> None:
        """Draws new weights."""
        self.hidden.reset_parameters()
        self.classifier.reset_parameters()

    def forward(self, x: Tensor, logits: Tensor) -> Tensor:
        """Joins both opinions.

        Args:
            x: `[U, in_channels]`, the utterances.
            logits: `[U, K]`, what a model of conversations says of them.

        Returns:
            Logits, `[U, K]`: the mean of both; in training, either the one's or the other's, drawn
            from the global generator of the device.

        Raises:
            TypeError: If an argument is not a tensor of the module's dtype.
            ValueError: If shapes disagree, or there is no utterance.
        """
        check_tensor("x", x, ["U", self.hidden.in_features])
        check_not_empty("x", x)
        check_dtype("x", x, self.hidden.weight)
        check_tensor("logits", logits, [len(x), self.classifier.out_features])
        check_dtype("logits", logits, self.classifier.weight)
        alone: Tensor = self.classifier(self.dropout(self.hidden(x).relu()))
        if self.training:
            return alone.where(torch.rand(len(x), 1, device=x.device) < 0.5, logits)
        return alone / 2 + logits / 2  # their sum might leave the range of float16

    def __repr__(self) -> str:
        hidden, classifier = self.hidden, self.classifier
        return (
            f"{type(self).__name__}({hidden.in_features}, {hidden.out_features}, "
            f"num_classes={classifier.out_features})"
        )
