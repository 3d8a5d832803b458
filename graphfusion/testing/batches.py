"""Batches of conversations for tests, including degenerate vectors."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphfusion.data.layout import BatchLayout

NAMES = ("text", "audio", "visual", "batch_index")


def names_of(num_modalities: int) -> tuple[str, ...]:
    """Returns the names of a batch's modalities: `NAMES`, and more if there are more."""
    more = (f"modality_{m}" for m in range(len(NAMES), num_modalities))
    return *NAMES[:num_modalities], *more


# Kinds of vectors, each made from normally distributed ones, `[U, M, C]`.
VECTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "normal": torch.clone,
    "zero": torch.zeros_like,
    "constant": torch.ones_like,
    "duplicate": lambda x: x[:1].expand_as(x).clone(),
    "opposite": lambda x: x[:1] * (1 - 2 * (torch.arange(len(x)) % 2)).view(-1, 1, 1).to(x),
    "denormal": lambda x: x * (torch.finfo(x.dtype).tiny / 8),
    # The largest float16 is 65504.
    "huge": lambda x: x * (1e3 if x.dtype == torch.float16 else 1e15),
}


@dataclass(frozen=True)
class RaggedBatch:
    """A batch of conversations.

    Attributes:
        x: `[U, M, C]`, node features.
        ptr: `[B + 1]` int64, the offset of each conversation, and U.
        speaker: `[U]` int64, the speaker of each utterance.
        present: `[U, M]` bool, the modalities of each utterance; None: all.
        name: A name for error messages.
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
        """`x` as a dict by modality, `[U, C]` each."""
        return dict(zip(names_of(self.x.size(1)), self.x.unbind(1), strict=True))

    @property
    def named_present(self) -> dict[str, Tensor] | None:
        """`present` as a dict by modality, `[U]` each; None if all are present."""
        if self.present is None:
            return None
        return dict(zip(names_of(self.x.size(1)), self.present.unbind(1), strict=True))

    @property
    def here(self) -> Tensor:
        """`present` as a tensor, all true if it is None."""
        everywhere = torch.ones(self.x.shape[:2], dtype=torch.bool)
        return everywhere if self.present is None else self.present

    def take(self, utterances: Tensor, lengths: list[int]) -> "RaggedBatch":
        """Returns the selected utterances, as conversations of the given lengths."""
        return replace(
            self,
            x=self.x[utterances],
            ptr=torch.tensor([0, *lengths]).cumsum(0),
            speaker=self.speaker[utterances],
            present=None if self.present is None else self.present[utterances],
        )

    def conversations(self) -> list["RaggedBatch"]:
        """Splits the batch into one batch for each conversation."""
        everyone = torch.arange(len(self.x)).split(self.ptr.diff().tolist())
        return [self.take(utterances, [len(utterances)]) for utterances in everyone]

    def with_x(self, x: Tensor) -> "RaggedBatch":
        """Returns a copy with other node features."""
        return replace(self, x=x)

    def __str__(self) -> str:
        return (
            f"the batch {self.name!r} (conversations of {self.ptr.diff().tolist()} utterances, "
            f"{self.x.size(1)} modalities, {self.x.dtype})"
        )


def odd_batches(
    channels: int, num_modalities: int = 2, dtype: torch.dtype = torch.float32
) -> list[RaggedBatch]:
    """Returns a fixed set of batches with edge cases.

    These are conversations of one utterance or one speaker, absent modalities, utterances without
    any modality, and vectors of each kind in `VECTORS`.
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
    some[1] = False  # an utterance without any modality
    some[7:10, 0] = False  # a whole conversation without the first modality
    return [
        *batches,
        batch("one utterance", [1]),
        replace(monologue, speaker=torch.zeros_like(monologue.speaker)),
        replace(batch("absent", lengths), present=some),
        replace(batch("absent, huge", lengths, "huge"), present=some),
        replace(batch("nothing present", lengths), present=torch.zeros_like(some)),
    ]
