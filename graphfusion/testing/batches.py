"""Batches of conversations to test with, and vectors of the kinds that break things."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphfusion.data.layout import BatchLayout

NAMES = ("text", "audio", "visual", "batch_index")

# What becomes of normal vectors `[U, M, C]`, by the name of what comes of it.
VECTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "normal": torch.clone,
    "zero": torch.zeros_like,
    "constant": torch.ones_like,
    "duplicate": lambda x: x[:1].expand_as(x).clone(),
    "opposite": lambda x: x[:1] * (1 - 2 * (torch.arange(len(x)) % 2)).view(-1, 1, 1).to(x),
    "denormal": lambda x: x * (torch.finfo(x.dtype).tiny / 8),
    # float16 ends at 65504.
    "huge": lambda x: x * (1e3 if x.dtype == torch.float16 else 1e15),
}


@dataclass(frozen=True)
class RaggedBatch:
    """A batch of conversations.

    Attributes:
        x: `[U, M, C]`, the nodes' vectors.
        ptr: `[B + 1]` int64, where each conversation starts, and U.
        speaker: `[U]` int64, who said each utterance.
        present: `[U, M]` bool, which modalities each utterance has; None: all of them.
        name: What it is called when something fails on it.
    """

    x: Tensor
    ptr: Tensor
    speaker: Tensor
    present: Tensor | None = None
    name: str = "drawn"

    @property
    def layout(self) -> BatchLayout:
        """The batch's layout, with presence by name."""
        return BatchLayout(self.ptr, self.speaker, self.named_present)

    @property
    def features(self) -> dict[str, Tensor]:
        """Up to four modalities by name, `[U, C]` each."""
        return dict(zip(NAMES, self.x.unbind(1), strict=False))

    @property
    def named_present(self) -> dict[str, Tensor] | None:
        """`present` by name, `[U]` each; None: all of them."""
        if self.present is None:
            return None
        return dict(zip(NAMES, self.present.unbind(1), strict=False))

    @property
    def here(self) -> Tensor:
        """`present`, or trues."""
        everywhere = torch.ones(self.x.shape[:2], dtype=torch.bool)
        return everywhere if self.present is None else self.present

    def take(self, utterances: Tensor, lengths: list[int]) -> "RaggedBatch":
        """Those utterances, in conversations of those lengths."""
        return replace(
            self,
            x=self.x[utterances],
            ptr=torch.tensor([0, *lengths]).cumsum(0),
            speaker=self.speaker[utterances],
            present=None if self.present is None else self.present[utterances],
        )

    def conversations(self) -> list["RaggedBatch"]:
        """Batches of each single conversation."""
        everyone = torch.arange(len(self.x)).split(self.ptr.diff().tolist())
        return [self.take(utterances, [len(utterances)]) for utterances in everyone]

    def with_x(self, x: Tensor) -> "RaggedBatch":
        """The same conversations with other vectors."""
        return replace(self, x=x)

    def __str__(self) -> str:
        return (
            f"the batch {self.name!r} (conversations of {self.ptr.diff().tolist()} utterances, "
            f"{self.x.size(1)} modalities, {self.x.dtype})"
        )


def odd_batches(
    channels: int, num_modalities: int = 2, dtype: torch.dtype = torch.float32
) -> list[RaggedBatch]:
    """The same few batches at every call, each with something in it that breaks careless code.

    Conversations of one utterance and of one speaker, absent modalities, utterances without any,
    and vectors of every kind in `VECTORS`.
    """
    generator = torch.Generator().manual_seed(0)

    def batch(name: str, lengths: list[int], kind: str = "normal") -> RaggedBatch:
        size = sum(lengths)
        x = torch.randn(size, num_modalities, channels, dtype=torch.float64, generator=generator)
        speaker = torch.randint(0, 3, (size,), generator=generator)
        return RaggedBatch(
            VECTORS[kind](x.to(dtype)),
            torch.tensor([0, *lengths]).cumsum(0),
            speaker,
            name=name,
        )

    lengths = [1, 6, 3, 1, 2]
    batches = [batch(kind, lengths, kind) for kind in VECTORS]
    monologue = batch("one speaker", lengths)
    some = torch.rand(sum(lengths), num_modalities, generator=generator) < 0.6
    some[1] = False  # an utterance that has nothing, in a conversation that has
    some[7:10, 0] = False  # and a conversation that never has the first modality
    return [
        *batches,
        batch("one utterance", [1]),
        replace(monologue, speaker=torch.zeros_like(monologue.speaker)),
        replace(batch("absent", lengths), present=some),
        replace(batch("absent, huge", lengths, "huge"), present=some),
        replace(batch("nothing present", lengths), present=torch.zeros_like(some)),
    ]
