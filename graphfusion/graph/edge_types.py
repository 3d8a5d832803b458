"""Edge types of a conversation's graph, for relational convolutions."""

import torch
from torch import Tensor

from graphfusion.data.layout import BatchLayout

#: What each edge type joins: the source relative to the target.
EDGE_TYPES = (
    "itself",
    "past of the same speaker",
    "past of another speaker",
    "future of the same speaker",
    "future of another speaker",
    "another modality",
)


def edge_types(edge_index: Tensor, layout: BatchLayout, num_modalities: int) -> Tensor:
    """The type of each edge, an index into `EDGE_TYPES` (as in DialogueGCN, Ghosal et al. 2019).

    Args:
        edge_index: `[2, E]` int64, `[source; target]`, nodes `u * M + m`.
        layout: The batch's, with its speakers.
        num_modalities: M.

    Returns:
        `[E]` int64.

    Raises:
        ValueError: If the layout has no speakers.
    """
    if layout.speaker is None:
        raise ValueError("speaker must be given to the layout for edge types, but got none.")
    utterance = edge_index // num_modalities
    source, target = utterance
    speaker = layout.speaker[utterance]
    other = (speaker[0] != speaker[1]).long()
    kind = torch.where(source < target, 1 + other, 3 + other).where(source != target, 0)
    modality = edge_index % num_modalities
    return kind.where(modality[0] == modality[1], len(EDGE_TYPES) - 1)
