"""Where everything lies in a batch of conversations, worked out once and shared by all modules."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from graphfusion._checks import check_tensor


class Sequences(NamedTuple):
    """Sequences of unequal length in the order of :class:`torch.nn.utils.rnn.PackedSequence`.

    Attributes:
        order: `[n]` int64, the items: all first steps, then all second steps, and so on, those of
            the longest sequence first.
        batch_sizes: `[longest]` int64 on the host, how many sequences have that many steps.
    """

    order: Tensor
    batch_sizes: Tensor


class Geometry:
    r"""Everything about a batch of conversations that does not depend on its features.

    It is checked and worked out on the host. Modules that are given a `Geometry` instead of a bare
    `ptr` neither repeat that work nor wait for the device.

    Args:
        ptr: `[B + 1]` int64, where each conversation starts, and U: strictly increasing from 0.
        speaker: `[U]` int64, who said each utterance, numbered within its conversation.
        present: `[U, M]` bool, which modalities each utterance has; None: all of them.

    Attributes:
        ptr: As given.
        speaker: As given.
        present: As given, but None where it is true throughout.
        batch: `[U]` int64, the conversation of each utterance.
        block: `[B, T]` int64, the utterances of each conversation; those of shorter conversations
            are filled up with their last one. T is the length of the longest conversation.
        slot: `[U]` int64, where `block`, flattened, has each utterance.
        conversations: For each modality, or once if `present` is None, every conversation as a
            sequence of utterances, without those where the modality is absent.
        turns: Every speaker's own utterances as a sequence. Items are utterances, or, if `present`
            is given, nodes `u * M + m`, a sequence for each modality. None without `speaker`.

    Tensors on a device are brought to the host with one synchronisation; the result is on that
    device again.

    Raises:
        TypeError: If an argument is not a tensor of the dtype above.
        ValueError: If `ptr` does not strictly increase from 0, a speaker is negative, shapes or
            devices disagree.
    """

    def __init__(
        self, ptr: Tensor, speaker: Tensor | None = None, present: Tensor | None = None
    ) -> None:
        check_tensor("ptr", ptr, ["B + 1"], torch.int64)
        if speaker is not None:
            check_tensor("speaker", speaker, ["U"], torch.int64)
        if present is not None:
            check_tensor("present", present, ["U", "M"], torch.bool)
        device = ptr.device
        ptr, speaker, present = _to_host(ptr, speaker, present)
        lengths = ptr.diff()
        if len(ptr) < 2 or ptr[0] != 0 or bool((lengths <= 0).any()):
            raise ValueError(
                "ptr must strictly increase from 0 and have at least two entries, "
                f"but got {_shorten(ptr)}."
            )
        size = int(ptr[-1])
        if speaker is not None:
            check_tensor("speaker", speaker, [size], torch.int64)
            if bool((speaker < 0).any()):
                raise ValueError(f"speaker must not be negative, but got {int(speaker.min())}.")
        if present is not None:
            check_tensor("present", present, [size, "M"], torch.bool)
            if present.size(1) == 0:
                raise ValueError("present must have at least one modality, but got none.")
            if bool(present.all()):
                present = None

        self.ptr = ptr
        self.speaker = speaker
        self.present = present
        self.batch = torch.arange(len(lengths)).repeat_interleave(lengths)
        steps = torch.arange(int(lengths.max()))
        self.block = ptr[:-1, None] + torch.minimum(steps, lengths[:, None] - 1)
        self.slot = self.batch * len(steps) + torch.arange(size) - ptr[self.batch]
        everywhere = present if present is not None else torch.ones(size, 1, dtype=torch.bool)
        self.conversations = tuple(_sequences(self.batch, here) for here in everywhere.unbind(1))
        self.turns: Sequences | None = None
        if speaker is not None:
            # One number a (conversation, speaker, modality); speakers may be any numbers, so they
            # are ranked before they enter a product that could overflow.
            rank = speaker.unique(return_inverse=True)[1]
            party = self.batch * (rank.max() + 1) + rank
            modalities = torch.arange(everywhere.size(1))
            node = (party[:, None] * len(modalities) + modalities).flatten()
            self.turns = _sequences(node, everywhere.flatten())
        self._move(device)

    @property
    def num_conversations(self) -> int:
        """B."""
        return self.block.size(0)

    @property
    def num_utterances(self) -> int:
        """U."""
        return self.batch.size(0)

    def to(self, device: torch.device | str | int) -> Self:
        """A copy on another device."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._move(device)
        return copy

    def _move(self, device: torch.device | str | int) -> None:
        for name, value in self.__dict__.items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        # PackedSequence wants its batch sizes on the host.
        self.conversations = tuple(
            each._replace(order=each.order.to(device)) for each in self.conversations
        )
        if self.turns is not None:
            self.turns = self.turns._replace(order=self.turns.order.to(device))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_conversations={self.num_conversations}, "
            f"num_utterances={self.num_utterances}, device={self.ptr.device})"
        )


def as_geometry(ptr: Tensor | Geometry) -> Geometry:
    """The geometry itself, or that of a bare `ptr`."""
    return ptr if isinstance(ptr, Geometry) else Geometry(ptr)


def _to_host(
    ptr: Tensor, speaker: Tensor | None, present: Tensor | None
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Brings all three to the host in one copy: a copy for each would wait thrice."""
    given = [("ptr", ptr), ("speaker", speaker), ("present", present)]
    tensors = [value for _, value in given if value is not None]
    for name, value in given:
        if value is not None and value.device != ptr.device:
            raise ValueError(f"{name} must be on ptr's {ptr.device}, but got {value.device}.")
    joined = torch.cat([value.flatten().long() for value in tensors]).cpu()
    parts = iter(joined.split([value.numel() for value in tensors]))
    return (
        next(parts),
        None if speaker is None else next(parts),
        None if present is None else next(parts).bool().view(present.shape),
    )


def _sequences(group: Tensor, here: Tensor) -> Sequences:
    """The items of each group, in order, as sequences; without those that are not here."""
    items = here.nonzero().squeeze(1)
    _, group, length = group[items].unique(return_inverse=True, return_counts=True)
    by_group = group.argsort(stable=True)
    start = length.cumsum(0) - length
    step = torch.empty_like(items)
    step[by_group] = torch.arange(len(items)) - start[group[by_group]]
    longest_first = torch.empty_like(length)
    longest_first[length.argsort(descending=True, stable=True)] = torch.arange(len(length))
    order = (step * len(length) + longest_first[group]).argsort()
    return Sequences(items[order], step.bincount())


def _shorten(ptr: Tensor) -> str:
    values = [str(int(value)) for value in ptr[:8]]
    return f"[{', '.join(values)}{', ...' if len(ptr) > 8 else ''}]"
