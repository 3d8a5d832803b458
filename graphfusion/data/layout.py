"""Where everything lies in a batch of conversations, worked out once and shared by all modules."""

from bisect import bisect_left, insort
from typing import NamedTuple, Self

import torch
from torch import Tensor

from graphfusion._utils.checks import check_size, check_tensor


class PackedIndices(NamedTuple):
    """PackedIndices of unequal length in the order of :class:`torch.nn.utils.rnn.PackedSequence`.

    Attributes:
        order: `[n]` int64, the items: all first steps, then all second steps, and so on, those of
            the longest sequence first.
        batch_sizes: `[longest]` int64 on the host, how many sequences have that many steps.
    """

    order: Tensor
    batch_sizes: Tensor


class BatchLayout:
    r"""Everything about a batch of conversations that does not depend on its features.

    It is checked and worked out on the host. Modules that are given a `BatchLayout` instead of a
    bare `ptr` neither repeat that work nor wait for the device.

    Args:
        ptr: `[B + 1]` int64, where each conversation starts, and U: strictly increasing from 0.
        speaker: `[U]` int64, who said each utterance, numbered within its conversation.
        present: `[U, M]` bool, which modalities each utterance has; None: all of them.

    Attributes:
        ptr: As given.
        speaker: As given.
        present: As given, but None where it is true throughout.
        num_modalities: M, or None if `present` was not given and any number will do.
        batch: `[U]` int64, the conversation of each utterance.
        blocks: `[N, T]` int64, the utterances once more, as many whole conversations in a block of
            T, the length of the longest, as fit; places left over hold any utterance.
        slot: `[U]` int64, where `blocks`, flattened, has each utterance.
        conversation_sequences: For each modality, or once if `present` is None, every conversation
            as a sequence of utterances, without those where the modality is absent; in the order of
            :class:`torch.nn.utils.rnn.PackedSequence`.
        speaker_id: `[U]` int64, the number of each utterance's speaker among all of the batch: the
            same person in another conversation is another one. None without `speaker`.
        speaker_sequences: Every speaker's own utterances as a sequence. Items are utterances, or,
            if `present` is given, nodes `u * M + m`, a sequence for each modality. None without `speaker`.

    Tensors on a device are brought to the host with one synchronisation; the result is on the
    device of `ptr`.

    Raises:
        TypeError: If an argument is not a tensor of the dtype above.
        ValueError: If `ptr` does not strictly increase from 0, a speaker is negative, or shapes
            disagree.
    """

    def __init__(
        self, ptr: Tensor, speaker: Tensor | None = None, present: Tensor | None = None
    ) -> None:
        check_tensor("ptr", ptr, ["B + 1"], torch.int64)
        if speaker is not None:
            check_tensor("speaker", speaker, ["U"], torch.int64)
        if present is not None:
            check_tensor("present", present, ["U", "M"], torch.bool)
        num_modalities = None
        device = ptr.device
        ptr, speaker, present = _to_host(ptr, speaker, present)
        lengths = ptr.diff()
        if len(ptr) < 2 or ptr[0] != 0 or bool((lengths <= 0).any()):
            raise ValueError(
                "ptr must strictly increase from 0 to the number of utterances, with an entry for "
                f"each conversation's start and one for the end, but got {_shorten(ptr)}."
            )
        size = int(ptr[-1])
        for name, value in (("speaker", speaker), ("present", present)):
            if value is not None and len(value) != size:
                raise ValueError(
                    f"{name} must have a row for each of the {size} utterances that ptr ends with, "
                    f"but got {len(value)}."
                )
        if speaker is not None and bool((speaker < 0).any()):
            raise ValueError(f"speaker must not be negative, but got {int(speaker.min())}.")
        if present is not None:
            if present.size(1) == 0:
                raise ValueError("present must have at least one modality, but got none.")
            num_modalities = present.size(1)
            if bool(present.all()):
                present = None

        self.ptr = ptr
        self.speaker = speaker
        self.present = present
        self.num_modalities = num_modalities
        self.batch = torch.arange(len(lengths)).repeat_interleave(lengths)
        self.blocks, self.slot = _pack(ptr, self.batch)
        everywhere = present if present is not None else torch.ones(size, 1, dtype=torch.bool)
        self.conversation_sequences = tuple(
            _sequences(self.batch, here) for here in everywhere.unbind(1)
        )
        self.speaker_id: Tensor | None = None
        self.speaker_sequences: PackedIndices | None = None
        if speaker is not None:
            # Speakers may be any numbers, so they are ranked before they enter a product that could
            # overflow.
            rank = speaker.unique(return_inverse=True)[1]
            self.speaker_id = (self.batch * (rank.max() + 1) + rank).unique(return_inverse=True)[1]
            modalities = torch.arange(everywhere.size(1))
            node = (self.speaker_id[:, None] * len(modalities) + modalities).flatten()
            self.speaker_sequences = _sequences(node, everywhere.flatten())
        self._move(device)

    @property
    def num_conversations(self) -> int:
        """B."""
        return self.ptr.size(0) - 1

    @property
    def num_utterances(self) -> int:
        """U."""
        return self.batch.size(0)

    def to(self, device: torch.device | str | int) -> Self:
        """This layout, or a copy of it on another device."""
        if self.ptr.device == torch.device(device):
            return self
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._move(device)
        return copy

    def _move(self, device: torch.device | str | int) -> None:
        def move(value: Tensor) -> Tensor:
            # Copies to a GPU need not be waited for; those from it must be.
            return value.to(device, non_blocking=value.device.type == "cpu")

        for name, value in self.__dict__.items():
            if isinstance(value, Tensor):
                setattr(self, name, move(value))
        # PackedSequence wants its batch sizes on the host.
        self.conversation_sequences = tuple(
            each._replace(order=move(each.order)) for each in self.conversation_sequences
        )
        if self.speaker_sequences is not None:
            self.speaker_sequences = self.speaker_sequences._replace(
                order=move(self.speaker_sequences.order)
            )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_conversations={self.num_conversations}, "
            f"num_utterances={self.num_utterances}, device={self.ptr.device})"
        )


def as_layout(
    ptr: Tensor | BatchLayout,
    device: torch.device,
    speaker: Tensor | None = None,
    present: Tensor | None = None,
) -> BatchLayout:
    """The layout itself, or that of a bare `ptr`, on the device of what it will be used with.

    A layout's own speakers and mask count; it is only made anew to take those that it lacks.

    Raises:
        ValueError: If a layout is on another device (to move it at each use would be slow), or
            has a mask and gets another.
    """
    if not isinstance(ptr, BatchLayout):
        return BatchLayout(ptr, speaker, present).to(device)
    if ptr.ptr.device != device:
        raise ValueError(
            f"layout must be on {device}, as the features are, but got {ptr.ptr.device}; "
            "move it with layout.to(device)."
        )
    if present is not None and ptr.num_modalities is not None:
        raise ValueError("present must be left out where the layout has its own.")
    if present is None and (speaker is None or ptr.speaker is not None):
        return ptr
    return BatchLayout(
        ptr.ptr,
        speaker if ptr.speaker is None else ptr.speaker,
        ptr.present if present is None else present,
    )


def column_of(layout: BatchLayout, modality: int | None) -> int:
    """The column of `present` that belongs to a modality; any will do where nothing is absent.

    Raises:
        TypeError: If `modality` is not an integer.
        ValueError: If it is not given where modalities are absent, or is none of them.
    """
    if layout.present is None:
        return 0
    if modality is None:
        raise ValueError("modality must be given where modalities are absent, but got None.")
    check_size("modality", modality, least=0)
    modalities = layout.present.size(1)
    if modality >= modalities:
        raise ValueError(
            f"modality must be one of the {modalities} that present has, but got {modality}."
        )
    return modality


def _to_host(
    ptr: Tensor, speaker: Tensor | None, present: Tensor | None
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Brings all three to the host in one copy: a copy for each would wait thrice."""
    tensors = [value for value in (ptr, speaker, present) if value is not None]
    flat = [value.flatten().long() for value in tensors]
    if len({value.device for value in flat}) > 1:
        flat = [value.cpu() for value in flat]
    joined = torch.cat(flat).cpu()
    parts = iter(joined.split([value.numel() for value in tensors]))
    return (
        next(parts),
        None if speaker is None else next(parts),
        None if present is None else next(parts).bool().view(present.shape),
    )


def _pack(ptr: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Packs conversations into blocks; returns them and each utterance's slot in them.

    The longest first, each into the fullest block that has room for it.
    """
    lengths = ptr.diff()
    longest = int(lengths.max())
    first = torch.empty_like(lengths)
    room: list[tuple[int, int]] = []  # of each block, sorted
    for length, conversation in zip(
        *(each.tolist() for each in lengths.sort(descending=True)), strict=True
    ):
        fullest = bisect_left(room, (length, 0))
        left, block = room.pop(fullest) if fullest < len(room) else (longest, len(room))
        first[conversation] = (block + 1) * longest - left
        insort(room, (left - length, block))
    slot = torch.arange(len(batch)) + (first - ptr[:-1])[batch]
    blocks = torch.zeros(len(room) * longest, dtype=torch.int64)
    blocks[slot] = torch.arange(len(batch))
    return blocks.view(-1, longest), slot


def _sequences(group: Tensor, here: Tensor) -> PackedIndices:
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
    return PackedIndices(items[order], step.bincount())


def _shorten(ptr: Tensor) -> str:
    values = [str(int(value)) for value in ptr[:8]]
    return f"[{', '.join(values)}{', ...' if len(ptr) > 8 else ''}]"
