"""Deterministic batches with the lengths, speakers and sizes of IEMOCAP and MELD."""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphfusion import BatchLayout

IN_CHANNELS = {"audio": 1582, "visual": 342, "text": 100}
CHANNELS, HIDDEN_CHANNELS = 200, 100


@dataclass(frozen=True)
class Workload:
    """A synthetic batch, and the size of its model."""

    name: str
    lengths: tuple[int, ...]
    num_speakers: int
    num_layers: int
    num_classes: int

    @property
    def ptr(self) -> Tensor:
        """Offset of each conversation, `[B + 1]`."""
        return torch.tensor([0, *self.lengths]).cumsum(0)

    @property
    def num_utterances(self) -> int:
        """Number of utterances U."""
        return sum(self.lengths)

    @property
    def layout(self) -> BatchLayout:
        """Layout of the batch, with speakers."""
        return BatchLayout(self.ptr, self.speaker)

    @property
    def speaker(self) -> Tensor:
        """Speaker of each utterance, `[U]`."""
        return torch.randint(0, self.num_speakers, (self.num_utterances,), generator=_generator())

    @property
    def features(self) -> dict[str, Tensor]:
        """Random features, `{modality: [U, d_m]}`."""
        size, generator = self.num_utterances, _generator()
        return {name: torch.randn(size, d, generator=generator) for name, d in IN_CHANNELS.items()}

    @property
    def nodes(self) -> Tensor:
        """Random nodes for the graph and the fusion, `[U, M, C]`."""
        shape = self.num_utterances, len(IN_CHANNELS), CHANNELS
        return torch.randn(*shape, generator=_generator())

    @property
    def y(self) -> Tensor:
        """Label of each utterance, `[U]`."""
        return torch.arange(self.num_utterances) % self.num_classes

    def on(self, device: str) -> tuple[dict[str, Tensor], BatchLayout, Tensor]:
        """Features, layout and labels on a device."""
        features = {name: value.to(device) for name, value in self.features.items()}
        return features, self.layout.to(device), self.y.to(device)


def iemocap(num_conversations: int = 32, num_layers: int = 16) -> Workload:
    """Workload like IEMOCAP: 8 to 110 utterances, 45 on average, and two speakers."""
    lengths = _lengths(num_conversations, 8, 110, skew=1.73)
    return Workload(f"iemocap x{num_conversations}", lengths, 2, num_layers, num_classes=6)


def meld(num_conversations: int = 32, num_layers: int = 32) -> Workload:
    """Workload like MELD: 1 to 33 utterances, 10 on average, and up to nine speakers."""
    lengths = _lengths(num_conversations, 1, 33, skew=2.6)
    return Workload(f"meld x{num_conversations}", lengths, 9, num_layers, num_classes=7)


def single(length: int, num_layers: int = 16) -> Workload:
    """Workload of one conversation."""
    return Workload(f"1 x {length}", (length,), 2, num_layers, num_classes=6)


def _lengths(count: int, shortest: int, longest: int, skew: float) -> tuple[int, ...]:
    """Draws lengths from the same distribution for any count, in a fixed random order."""
    share = torch.linspace(0, 1, count, dtype=torch.float64) ** skew
    lengths = (shortest + (longest - shortest) * share).round().long()
    lengths = lengths[torch.randperm(count, generator=_generator())]
    return tuple(int(length) for length in lengths)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
