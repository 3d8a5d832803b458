"""Standardisation of features with the statistics of the training conversations."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import torch
from torch import Tensor
from torch_geometric.nn.module_dict import ModuleDict

from graphfusion._utils.checks import check_features, check_in_channels
from graphfusion.data.conversation import Conversation
from graphfusion.data.moments import Moments

#: Standardised values are clipped to this many standard deviations. A channel that varied only by
#: rounding in training would otherwise reach millions of them in another conversation.
LIMIT = 200.0


class Standardized(dict[str, Tensor]):
    """Features that are standardised already, which an encoder takes as they are."""


class Standardize(torch.nn.Module):
    r"""Standardises features by the mean and standard deviation of the training conversations.

    .. math:: \mathrm{clip}\left(\frac{x - \mu}{\sigma}, -200, 200\right)

    A mean and a scale for each modality's channels are float64 buffers, whatever the module's
    dtype, so that a large offset (a time stamp, say) costs no digits. Until :meth:`fit`, features
    pass unchanged.

    Args:
        in_channels: `{modality: d_m}`.

    Raises:
        TypeError: If `in_channels` does not map names to integers.
        ValueError: If there is no modality, a size is not positive, or two names differ only by '.' and
            '#'.

    Example:
        >>> import torch
        >>> from graphfusion import Conversation
        >>> text = torch.tensor([[1.0], [3.0]])
        >>> standardize = Standardize({"text": 1}).fit([Conversation({"text": text}, torch.tensor([0, 1]))])
        >>> standardize({"text": text})["text"]
        tensor([[-1.],
                [ 1.]])
    """  # noqa: E501 - the example's line

    def __init__(self, in_channels: Mapping[str, int]) -> None:
        super().__init__()
        check_in_channels(in_channels)
        self.in_channels = dict(in_channels)
        self.statistics = ModuleDict({name: _Statistics(d) for name, d in in_channels.items()})

    def fit(self, conversations: Iterable[Conversation]) -> Self:
        """Computes the statistics of these conversations, of each modality where it is present.

        In one pass, so that the conversations need not fit in memory. A channel that never varies,
        or a modality that is never present, keeps the scale 1.

        Raises:
            TypeError: If there is anything but conversations.
            ValueError: If there is no conversation or one has other modalities.
        """
        if isinstance(conversations, Conversation):  # iterating over one gives its attributes
            conversations = [conversations]
        moments = {name: Moments(d) for name, d in self.in_channels.items()}
        empty = True
        for each in conversations:
            empty = False
            if not isinstance(each, Conversation):
                raise TypeError(
                    f"conversations must be of Conversation, but got {type(each).__name__}."
                )
            check_features(each.features, self.in_channels, "U")
            for name, moment in moments.items():
                moment.add(each.features[name][each.present[name]])
        if empty:
            raise ValueError("conversations must not be empty.")
        for name, moment in moments.items():
            self.statistics[name].set(moment)
        return self

    def forward(self, features: Mapping[str, Tensor]) -> Standardized:
        """Standardises each modality.

        Args:
            features: `{modality: [U, d_m]}`, in any floating dtype.

        Returns:
            New tensors `[U, d_m]` by name, in the order of `in_channels`, in float32 at least.

        Raises:
            TypeError: If the features are not floating tensors by name.
            ValueError: If a modality is missing, unknown or of another size.
        """
        check_features(features, self.in_channels, "U")
        return Standardized(
            {name: self.statistics[name](features[name]) for name in self.in_channels}
        )

    def reset_parameters(self) -> None:
        """Resets the statistics, so that features pass unchanged."""
        for each in self.statistics.values():
            each.reset_parameters()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels})"


class _Statistics(torch.nn.Module):
    """Mean, scale and clipping limit of one modality."""

    mean: Tensor
    scale: Tensor
    limit: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("mean", "scale"):
            self.register_buffer(name, torch.empty(channels, dtype=torch.float64))
        self.register_buffer("limit", torch.empty((), dtype=torch.float64))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        self.mean.zero_()
        self.scale.fill_(1)
        self.limit.fill_(torch.inf)

    def set(self, moments: Moments) -> None:
        self.mean.copy_(moments.mean)
        self.scale.copy_(scale_of(moments))
        self.limit.fill_(LIMIT)

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        # Where x itself has fewer digits than the mean, the mean's rounding is no larger than its.
        x = (x - self.mean.to(x.dtype)) / self.scale.to(x.dtype)
        return x.clamp(-self.limit, self.limit)  # a number's dtype does not change that of x

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves the statistics like any buffer, but keeps their dtype."""
        before: dict[str, Any] = dict(self._buffers)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, after in self._buffers.items():
            if after is not None and after.dtype != before[name].dtype:
                self._buffers[name] = before[name].to(after.device)
        return self


def scale_of(moments: Moments) -> Tensor:
    """The scale `[d]` of each channel: its standard deviation, or 1 where it never varies."""
    scale = moments.deviation
    # Rounding makes a constant's deviation tiny rather than zero; and what is smaller than any
    # normal float32 has no reciprocal there.
    least = (1e-13 * moments.largest).clamp(min=torch.finfo(torch.float32).tiny)
    return scale.where(scale > least, 1)
