"""The classifier of MM-DFN: from the fused nodes of an utterance to its logits."""

from collections.abc import Mapping, Sequence

import torch
from einops import rearrange
from torch import Tensor

from graphfusion._kernels.dropout import Dropout
from graphfusion._utils.checks import (
    check_dtype,
    check_real,
    check_size,
    check_tensor,
    unique_names,
)
from graphfusion.models.named_linear import NamedLinear
from graphfusion.models.utterance_classifier import UtteranceClassifier


class Classifier(torch.nn.Module):
    r"""Classifies each utterance by its concatenated fused nodes (MM-DFN, emotion classifier).

    .. math:: y_u = W \, \mathrm{relu}(\mathrm{dropout}([z_{u,1} ; \ldots ; z_{u,M}])) + b

    Args:
        modalities: The modalities' names, in the order of the nodes.
        in_channels: Size C of a fused node.
        num_classes: Number K of classes, or of scores.
        dropout: Probability of dropping a value.
        utterance_classifier: An :class:`UtteranceClassifier` to average with; None: there is none.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If a size is not positive, a name comes twice, or `dropout` is out of range.

    Shapes:
        - **input:** `x [U, M, C]`, features `{modality: [U, d_m]}`.
        - **output:** logits `[U, K]`.

    Example:
        >>> import torch
        >>> Classifier(["audio", "text"], in_channels=8, num_classes=4)(torch.randn(5, 2, 8)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        modalities: Sequence[str],
        in_channels: int,
        num_classes: int,
        dropout: float = 0.0,
        utterance_classifier: UtteranceClassifier | None = None,
    ) -> None:
        super().__init__()
        check_size("in_channels", in_channels)
        check_size("num_classes", num_classes)
        check_real("dropout", dropout, 0, 1)
        self.in_channels = in_channels
        self.out_channels = num_classes
        self.dropout = Dropout(dropout)
        names = unique_names("modalities", modalities)
        self.linear = NamedLinear(dict.fromkeys(names, in_channels), num_classes)
        self.utterance_classifier = utterance_classifier

    @property
    def modalities(self) -> tuple[str, ...]:
        """The names of the nodes, in their order."""
        return tuple(self.linear.in_channels)

    def reset_parameters(self) -> None:
        """Draws new weights."""
        self.linear.reset_parameters()
        if self.utterance_classifier is not None:
            self.utterance_classifier.reset_parameters()

    def forward(self, x: Tensor, features: Mapping[str, Tensor] | None = None) -> Tensor:
        """Returns logits `[U, K]`.

        Args:
            x: `[U, M, C]`, all finite.
            features: `{modality: [U, d_m]}`, standardised, zeros where absent, for the utterance
                classifier; None where there is none.

        Raises:
            TypeError: If `x` is not of the module's dtype.
            ValueError: If a shape is another.
        """
        check_tensor("x", x, ["U", len(self.linear.in_channels), self.in_channels])
        check_dtype("x", x, self.linear.bias)
        logits: Tensor = self.linear(self.dropout(rearrange(x, "u m c -> u (m c)")).relu())
        if self.utterance_classifier is not None:
            logits = self.utterance_classifier({} if features is None else features, logits)
        return logits

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({list(self.linear.in_channels)}, {self.in_channels}, "
            f"num_classes={self.out_channels})"
        )
