"""Deterministic batches with the lengths, speakers and sizes of IEMOCAP and MELD."""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphfusion import BatchLayout

IN_CHANNELS = {"audio": 1582, "visual": 342, "text": 100}
CHANNELS, HIDDEN_CHANNELS = 200, 100


@dataclass(frozen=True)
class Workload:
    """A batch, and what a model of it needs to know."""

    name: str
    lengths: tuple[int, ...]
    num_speakers: int
    num_layers: int
    num_classes: int

    @property
    def ptr(self) -> Tensor:
        """`[B + 1]`."""
        return torch.tensor([0, *self.lengths]).cumsum(0)

    @property
    def num_utterances(self) -> int:
        """U."""
        return sum(self.lengths)

    @property
    def layout(self) -> BatchLayout:
        """With its speakers."""
        return BatchLayout(self.ptr, self.speaker)

    @property
    def speaker(self) -> Tensor:
        """`[U]`."""
        return torch.randint(0, self.num_speakers, (self.num_utterances,), generator=_generator())

    @property
    def features(self) -> dict[str, Tensor]:
        """`{modality: [U, d_m]}`."""
        size, generator = self.num_utterances, _generator()
        return {name: torch.randn(size, d, generator=generator) for name, d in IN_CHANNELS.items()}

    @property
    def nodes(self) -> Tensor:
        """`[U, M, C]`, as the graph and the fusion get them."""
        shape = self.num_utterances, len(IN_CHANNELS), CHANNELS
        return torch.randn(*shape, generator=_generator())

    @property
    def y(self) -> Tensor:
        """`[U]`."""
        return torch.arange(self.num_utterances) % self.num_classes

    def on(self, device: str) -> tuple[dict[str, Tensor], BatchLayout, Tensor]:
        """Features, layout and y there."""
        features = {name: value.to(device) for name, value in self.features.items()}
        return features, self.layout.to(device), self.y.to(device)


def iemocap(num_conversations: int = 32, num_layers: int = 16) -> Workload:
    """Conversations of 8 to 110 utterances, 45 on average, and two speakers."""
    lengths = _lengths(num_conversations, 8, 110, skew=1.73)
    return Workload(f"iemocap x{num_conversations}", lengths, 2, num_layers, num_classes=6)


def meld(num_conversations: int = 32, num_layers: int = 32) -> Workload:
    """Conversations of 1 to 33 utterances, 10 on average, and up to nine speakers."""
    lengths = _lengths(num_conversations, 1, 33, skew=2.6)
    return Workload(f"meld x{num_conversations}", lengths, 9, num_layers, num_classes=7)


def single(length: int, num_layers: int = 16) -> Workload:
    """One conversation."""
    return Workload(f"1 x {length}", (length,), 2, num_layers, num_classes=6)


def _lengths(count: int, shortest: int, longest: int, skew: float) -> tuple[int, ...]:
    """The same distribution whatever the count, in a fixed mixed order."""
    share = torch.linspace(0, 1, count, dtype=torch.float64) ** skew
    lengths = (shortest + (longest - shortest) * share).round().long()
    lengths = lengths[torch.randperm(count, generator=_generator())]
    return tuple(int(length) for length in lengths)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
