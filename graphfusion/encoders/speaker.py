"""Who is talking, and what they said before."""

from typing import ClassVar

import torch
from torch import Tensor

from graphfusion._utils.checks import check_dtype, check_range, check_size, check_tensor
from graphfusion.data.layout import BatchLayout, as_layout
from graphfusion.encoders.recurrent import RecurrentEncoder, RecurrentState


class SpeakerEmbedding(torch.nn.Module):
    """Adds to every utterance a vector of its speaker, for speakers with an identity that lasts.

    Args:
        num_speakers: Number of speakers, the same ones in all conversations.
        channels: Size C of a node's vector.

    Raises:
        ValueError: If a size is not positive.
    """

    def __init__(self, num_speakers: int, channels: int) -> None:
        super().__init__()
        check_size("num_speakers", num_speakers)
        check_size("channels", channels)
        self.embedding = torch.nn.Embedding(num_speakers, channels)

    def reset_parameters(self) -> None:
        """Draws new vectors."""
        self.embedding.reset_parameters()

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        """Returns `x [U, C]` or `[U, M, C]` plus the vectors of `speaker [U]`.

        Raises:
            TypeError: If `speaker` is not int64.
            ValueError: If the shapes disagree or (checked on the host only) a speaker is not in
                `[0, num_speakers)`.
        """
        axes = ["U", "M"] if isinstance(x, Tensor) and x.dim() == 3 else ["U"]
        check_tensor("x", x, [*axes, self.embedding.weight.size(1)])
        check_dtype("x", x, self.embedding.weight)
        check_tensor("speaker", speaker, [len(x)], torch.int64)
        check_range("speaker", speaker, self.embedding.num_embeddings)
        vectors: Tensor = self.embedding(speaker)
        return x + (vectors.unsqueeze(1) if x.dim() == 3 else vectors)

    def __repr__(self) -> str:
        size, channels = self.embedding.weight.shape
        return f"{type(self).__name__}({size}, {channels})"


class SpeakerEncoder(RecurrentEncoder):
    """A GRU over each speaker's own utterances, in order (MM-DFN, modality encoder).

    It is shared by all speakers and modalities, so that it needs to know neither who they are nor
    how many, and runs over all of them at once.

    Args:
        channels: Size C of each vector.
        hidden_channels: Size H of a direction.
        num_layers: Number of layers.
        dropout: Probability of dropping a value between layers.
        bidirectional: Whether it reads in both directions, so that the output has 2H channels, or
            forward alone, never looking ahead, so that it has H.

    Raises:
        TypeError: If an argument is not a number, or `bidirectional` not a bool.
        ValueError: If a size is not positive or `dropout` is not a probability.
    """

    def forward(self, x: Tensor, layout: BatchLayout) -> Tensor:
        """Encodes all modalities.

        Args:
            x: `[U, M, C]`.
            layout: The batch's layout, with its speakers.

        Returns:
            `[U, M, out_channels]`; zeros for absent nodes, which are skipped, not stepped through.

        Raises:
            ValueError: If the shapes disagree or the layout has no speakers.
        """
        self._check(x, ["U", "M", self.channels])
        layout = as_layout(layout, x.device)
        modalities = "M" if layout.present is None else layout.present.size(1)
        self._check(x, [layout.num_utterances, modalities, self.channels])
        if layout.speaker_sequences is None:
            raise ValueError("speaker must be given to the layout, but got none.")
        if layout.present is None:
            return self._encode(x, layout.speaker_sequences)
        return self._encode(x.flatten(0, 1), layout.speaker_sequences).view(*x.shape[:2], -1)


class SpeakerState(RecurrentState):
    """Where a speaker encoder stands with everyone who has spoken in conversations that go on.

    Args:
        encoder: The encoder.
        num_conversations: B.
        num_modalities: M.

    Attributes:
        known: `[B, S]` int64 on the host, who has spoken, by first appearance; -1 for nobody yet.
        state: `[num_layers, B, S, M, H]`, what the encoder remembers of what each of them said.
    """

    growing: ClassVar[dict[str, int]] = {"known": 1, "state": 2}

    def __init__(
        self, encoder: SpeakerEncoder, num_conversations: int, num_modalities: int
    ) -> None:
        super().__init__(encoder, num_conversations, 1, num_modalities)
        self.known = torch.full((num_conversations, 1), -1)

    def place(self, conversation: Tensor, speaker: Tensor) -> Tensor:
        """Where in `known` each speaker is, all `[n]` on the host; newcomers get the next place."""
        known = self.known[conversation]
        match = known == speaker.unsqueeze(1)
        place = torch.where(match.any(1), match.int().argmax(1), (known >= 0).sum(1))
        size = self.known.size(1)
        if int(place.max()) >= size:
            pad = torch.nn.functional.pad
            self.known = pad(self.known, (0, size), value=-1)
            self.state = pad(self.state, (0, 0, 0, 0, 0, size))
        self.known[conversation, place] = speaker
        return place
