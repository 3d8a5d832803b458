"""Speaker and modality embeddings, added to node vectors."""

import torch
from torch import Tensor

from graphfusion._utils.checks import check_dtype, check_range, check_size, check_tensor


class _NodeEmbedding(torch.nn.Module):
    """A table of learned vectors."""

    def __init__(self, what: str, size: int, channels: int) -> None:
        super().__init__()
        check_size(what, size)
        check_size("channels", channels)
        self.embedding = torch.nn.Embedding(size, channels)

    def reset_parameters(self) -> None:
        """Reinitialises the embeddings."""
        self.embedding.reset_parameters()

    def __repr__(self) -> str:
        size, channels = self.embedding.weight.shape
        return f"{type(self).__name__}({size}, {channels})"


class SpeakerEmbedding(_NodeEmbedding):
    """Adds a learned embedding of the speaker to each node, for a fixed set of speakers.

    The published code adds it to text nodes (MM-DFN's `speaker_embeddings`).

    Args:
        num_speakers: Number of speakers, the same ones in all conversations.
        channels: Size C of a node's vector.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If a size is not positive.

    Shapes:
        - **input:** `x [U, C]` or `[U, M, C]`, `speaker [U]`.
        - **output:** as `x`.

    Example:
        >>> import torch
        >>> SpeakerEmbedding(3, 8)(torch.randn(4, 2, 8), torch.tensor([0, 2, 0, 1])).shape
        torch.Size([4, 2, 8])
    """

    def __init__(self, num_speakers: int, channels: int) -> None:
        super().__init__("num_speakers", num_speakers, channels)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        """Returns `x [U, C]` or `[U, M, C]` plus the vectors of `speaker [U]`.

        Raises:
            TypeError: If `speaker` is not int64, or `x` not of the module's dtype.
            ValueError: If the shapes disagree or (checked on the host only) a speaker is not in
                `[0, num_speakers)`.
        """
        axes = ["U", "M"] if isinstance(x, Tensor) and x.dim() == 3 else ["U"]
        check_tensor("x", x, [*axes, self.embedding.weight.size(1)])
        check_dtype("x", x, self.embedding.weight)
        # Not len(x), which would be fixed in what is exported.
        check_tensor("speaker", speaker, [x.size(0)], torch.int64)
        check_range("speaker", speaker, self.embedding.num_embeddings)
        vectors: Tensor = self.embedding(speaker)
        return x + (vectors.unsqueeze(1) if x.dim() == 3 else vectors)


class ModalityEmbedding(_NodeEmbedding):
    """Adds a learned embedding of the modality to each node (MM-DFN's `modal_embeddings`).

    Args:
        num_modalities: Number M of modalities.
        channels: Size C of a node's vector.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If a size is not positive.

    Shapes:
        - **input:** `x [U, M, C]`.
        - **output:** as `x`.

    Example:
        >>> import torch
        >>> ModalityEmbedding(2, 8)(torch.randn(4, 2, 8)).shape
        torch.Size([4, 2, 8])
    """

    def __init__(self, num_modalities: int, channels: int) -> None:
        super().__init__("num_modalities", num_modalities, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Returns `x [U, M, C]` plus each modality's vector.

        Raises:
            TypeError: If `x` is not of the module's dtype.
            ValueError: If the shape of `x` is another.
        """
        check_tensor("x", x, ["U", *self.embedding.weight.shape])
        check_dtype("x", x, self.embedding.weight)
        return x + self.embedding.weight
