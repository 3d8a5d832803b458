"""The index structure of a packed batch of conversations, shared by all modules."""

from collections.abc import Callable, Mapping
from typing import Self

import torch
from torch import Tensor

from graphfusion._utils.tracing import check_not_tracing
from graphfusion.data.conversation import Conversation
from graphfusion.data.layout_checks import check_layout, find_column
from graphfusion.data.packing import PackedIndices, move_sequences, pack_blocks, pack_sequences

# What a layout holds: on a device, on the host, and both.
TENSORS = ("ptr", "speaker", "present", "batch", "blocks", "slot", "speaker_id")
STATIC = ("modalities", "num_modalities", "is_screened")
SEQUENCES = ("conversation_sequences", "speaker_sequences")


class BatchLayout:
    r"""The index structure of a packed batch, independent of the features.

    It is checked and computed once, on the host. Modules that are given a `BatchLayout` instead of
    a bare `ptr` neither repeat that work nor synchronise with the device. A registered pytree.

    Args:
        ptr: `[B + 1]` int64, where each conversation starts, and U: strictly increasing from 0.
        speaker: `[U]` int64, the speaker of each utterance, numbered within its conversation.
        present: Which modalities each utterance has: `{modality: [U] bool}`, or, for layers that
            take `x [U, M, C]` without names, `[U, M]` bool; None: all of them.

    Attributes:
        ptr: As given.
        speaker: As given.
        present: `[U, M]` bool, or None where it is true throughout.
        modalities: The names of the columns of `present`, in order; None if it was not given by
            name.
        num_modalities: M, or None if `present` was not given and any number will do.
        batch: `[U]` int64, the conversation of each utterance.
        blocks: `[N, T]` int64, the utterances once more, as many whole conversations in a block of
            T, the length of the longest, as fit; places left over hold any utterance.
        slot: `[U]` int64, where `blocks`, flattened, has each utterance.
        conversation_sequences: For each modality, or once if `present` is None, every conversation
            as a sequence of utterances, without those where the modality is absent.
        speaker_id: `[U]` int64, the number of each utterance's speaker among all of the batch: the
            same person in another conversation has another number. None without `speaker`.
        speaker_sequences: Every speaker's own utterances as a sequence. Items are utterances, or,
            if `present` is given, nodes `u * M + m`, a sequence for each modality. None without
            `speaker`.
        is_screened: Whether all nodes are known to be finite; see :meth:`screened`.

    Tensors on a device are brought to the host with one synchronisation; the result is on the
    device of `ptr`.

    Raises:
        RuntimeError: If `torch.jit.trace` is at work.
        TypeError: If an argument is not a tensor of the dtype above.
        ValueError: If `ptr` does not strictly increase from 0, a speaker is negative, or shapes
            disagree.

    Example:
        >>> import torch
        >>> layout = BatchLayout(
        ...     ptr=torch.tensor([0, 3, 5]),
        ...     speaker=torch.tensor([0, 1, 0, 0, 1]),
        ...     present={"audio": torch.tensor([True, False, True, True, True])},
        ... )
        >>> layout
        BatchLayout(num_conversations=2, num_utterances=5, device=cpu)
        >>> layout.batch
        tensor([0, 0, 0, 1, 1])
    """

    def __init__(
        self,
        ptr: Tensor,
        speaker: Tensor | None = None,
        present: Tensor | Mapping[str, Tensor] | None = None,
    ) -> None:
        check_not_tracing()
        device = ptr.device if isinstance(ptr, Tensor) else None
        self.modalities = tuple(present) if isinstance(present, Mapping) else None
        ptr, speaker, present = check_layout(ptr, speaker, present)
        lengths, size = ptr.diff(), int(ptr[-1])
        self.num_modalities = None if present is None else present.size(1)
        self.ptr = ptr
        self.speaker = speaker
        self.present = None if present is None or bool(present.all()) else present
        self.batch = torch.arange(len(lengths), device="cpu").repeat_interleave(lengths)
        self.blocks, self.slot = pack_blocks(ptr, self.batch)
        everywhere = (
            torch.ones(size, 1, dtype=torch.bool, device="cpu")
            if self.present is None
            else self.present
        )
        self.conversation_sequences = tuple(
            pack_sequences(self.batch, column) for column in everywhere.unbind(1)
        )
        self.speaker_id: Tensor | None = None
        self.speaker_sequences: PackedIndices | None = None
        if speaker is not None:
            # Speakers may be any numbers, so they are ranked before they enter a product that could
            # overflow.
            rank = speaker.unique(return_inverse=True)[1]
            self.speaker_id = (self.batch * (rank.max() + 1) + rank).unique(return_inverse=True)[1]
            width = everywhere.size(1)
            node = (self.speaker_id[:, None] * width + torch.arange(width, device="cpu")).flatten()
            self.speaker_sequences = pack_sequences(node, everywhere.flatten())
        self.is_screened = False
        self.__dict__ |= self._map(lambda value: _move(value, device)).__dict__

    @classmethod
    def of(cls, batch: Conversation) -> Self:
        """Builds the layout of a PyG batch of conversations, or of one conversation.

        Args:
            batch: What PyG's `DataLoader` or `Batch.from_data_list` makes of
                :class:`Conversation` objects, or one of them. Presence is matched by name.

        Raises:
            TypeError: If it is something else.
        """
        if not isinstance(batch, Conversation):
            raise TypeError(f"batch must be of Conversations, but got {type(batch).__name__}.")
        ptr = batch.ptr if "ptr" in batch else torch.tensor([0, len(batch.speaker)], device="cpu")
        return cls(ptr, batch.speaker, batch.present)

    @property
    def num_conversations(self) -> int:
        """Number B of conversations."""
        return self.ptr.size(0) - 1

    @property
    def num_utterances(self) -> int:
        """Number U of utterances."""
        return self.batch.size(0)

    def to(self, device: torch.device | str | int) -> Self:
        """This layout, or a copy of it on another device."""
        if self.ptr.device == torch.device(device):
            return self
        return self._map(lambda value: _move(value, device))

    def column(self, modality: int | str | None) -> int:
        """Returns the column of a modality in `present`; 0 where nothing is absent.

        Raises:
            ValueError: If it is not given where modalities are absent, or is none of them.
        """
        if self.present is None:
            return 0
        return find_column(modality, self.modalities or (), self.present.size(1))

    def screened(self) -> Self:
        """A copy for batches whose nodes are all finite, so that layers do not mask again."""
        screened = self.copy()
        screened.is_screened = True
        return screened

    def copy(self) -> Self:
        """A copy that shares all tensors."""
        copy = type(self).__new__(type(self))
        # By name: the compiler of PyTorch 2.8 does not follow __dict__.
        for name in (*TENSORS, *STATIC, *SEQUENCES):
            setattr(copy, name, getattr(self, name))
        return copy

    def _map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """A copy with a function applied to each tensor that may be on a device."""
        copy = self.copy()
        for name in TENSORS:
            if (value := getattr(self, name)) is not None:
                setattr(copy, name, function(value))
        copy.conversation_sequences = tuple(
            move_sequences(each, function) for each in self.conversation_sequences
        )
        if self.speaker_sequences is not None:
            copy.speaker_sequences = move_sequences(self.speaker_sequences, function)
        return copy

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_conversations={self.num_conversations}, "
            f"num_utterances={self.num_utterances}, device={self.ptr.device})"
        )


def as_layout(
    ptr: Tensor | BatchLayout, device: torch.device, speaker: Tensor | None = None
) -> BatchLayout:
    """Converts a `ptr` to a layout; checks that a layout is on the device.

    Raises:
        ValueError: If a layout is on another device; moving it at each use would be slow.
    """
    if not isinstance(ptr, BatchLayout):
        return BatchLayout(ptr, speaker).to(device)
    if ptr.ptr.device != device:
        raise ValueError(
            f"layout must be on {device}, as the features are, but got {ptr.ptr.device}; "
            "move it with layout.to(device)."
        )
    return ptr


def _move(value: Tensor, device: torch.device | str | int | None) -> Tensor:
    # Copies to a GPU need not be waited for; those from it must be.
    return value.to(device, non_blocking=value.device.type == "cpu")
