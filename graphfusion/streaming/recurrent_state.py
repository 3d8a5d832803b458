"""Hidden states of recurrent encoders over growing sequences."""

from typing import ClassVar

import torch
from torch import Tensor

from graphfusion.encoders.recurrent import RecurrentEncoder
from graphfusion.encoders.speaker import SpeakerEncoder


class RecurrentState:
    """The hidden state of a unidirectional encoder in each of several sequences.

    Args:
        encoder: The encoder.
        size: How many sequences there are, along any axes.

    Attributes:
        state: `[num_layers, *size, H]`, the hidden state of each; zeros at the start.
    """

    growing: ClassVar[dict[str, int]] = {}
    modality_axis: ClassVar[dict[str, int]] = {}

    def __init__(self, encoder: RecurrentEncoder, *size: int) -> None:
        self.encoder = encoder
        like = next(encoder.parameters()).detach()
        self.state = like.new_zeros(encoder.rnn.num_layers, *size, encoder.hidden_channels)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of the state by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def step(self, x: Tensor, present: Tensor, *sequences: Tensor) -> Tensor:
        """Computes the next step of some of the sequences, which :meth:`commit` then stores.

        Args:
            x: `[n, ..., C]`, the next items.
            present: `[n, ...]` bool, whether there is one; where there is none, the state stays.
            sequences: `[n]` int64 for each leading axis, which sequences they are.

        Returns:
            The items' encodings, `[n, ..., H]`; zeros where there is none.
        """
        place: tuple[slice | Tensor, ...] = slice(None), *(each.to(x.device) for each in sequences)
        old = self.state[place]
        items = x.reshape(1, -1, x.size(-1))
        new = self.encoder.rnn(items, old.flatten(1, -2))[1].view(old.shape).to(old.dtype)
        present = present.unsqueeze(-1)
        self._next = place, new.where(present, old)
        out: Tensor = new[-1].where(present, 0)
        return out

    def commit(self) -> None:
        """Stores the hidden states of the last step."""
        place, state = self._next
        self.state[place] = state


class SpeakerState(RecurrentState):
    """The hidden state of a speaker encoder for each speaker of several conversations.

    Args:
        encoder: The encoder.
        num_conversations: B.
        num_modalities: M.

    Attributes:
        known: `[B, S]` int64 on the host, the speakers by first appearance; -1 where unused.
        state: `[num_layers, B, S, M, H]`, the hidden state of each of them.
    """

    growing: ClassVar[dict[str, int]] = {"known": 1, "state": 2}
    modality_axis: ClassVar[dict[str, int]] = {"state": 3}

    def __init__(
        self, encoder: SpeakerEncoder, num_conversations: int, num_modalities: int
    ) -> None:
        super().__init__(encoder, num_conversations, 1, num_modalities)
        self.known = torch.full((num_conversations, 1), -1, device="cpu")

    def place(self, conversation: Tensor, speaker: Tensor) -> Tensor:
        """Index of each speaker in `known`, `[n]` on the host; :meth:`commit` appends new ones."""
        known = self.known[conversation]
        match = known == speaker.unsqueeze(1)
        place = torch.where(match.any(1), match.int().argmax(1), (known >= 0).sum(1))
        size = self.known.size(1)
        if int(place.max()) >= size:
            pad = torch.nn.functional.pad
            self.known = pad(self.known, (0, size), value=-1)
            self.state = pad(self.state, (0, 0, 0, 0, 0, size))
        self._speakers = (conversation, place), speaker
        return place

    def commit(self) -> None:
        """Stores the hidden states of the last step, and the speakers of the last :meth:`place`."""
        super().commit()
        place, speaker = self._speakers
        self.known[place] = speaker
