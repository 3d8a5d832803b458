"""Hyperedges of conversations, for `HypergraphConv`."""

import torch
from torch import Tensor

from graphfusion.data.layout import BatchLayout
from graphfusion.graph.multimodal_graph import MultimodalGraph


def check_whole(graph: MultimodalGraph) -> None:
    """Checks that the graph joins all pairs of a conversation's utterances, as hyperedges do.

    Raises:
        RuntimeError: If it is exported, for the check reads values.
        ValueError: If a window leaves some out. A causal model would see later utterances.
    """
    if torch.compiler.is_exporting():
        raise RuntimeError(
            "hyperedge_index must not be exported, since HypergraphConv reads values: export a "
            "model with another convolution."
        )
    pairs = torch.stack([graph.blocks.joined.sum(), graph.layout.ptr.diff().square().sum()])
    joined, whole = pairs.tolist()
    if joined != whole:
        raise ValueError(
            "graph must have no window for hyperedge_index, which joins whole conversations, but "
            f"joins {joined} of {whole} pairs of utterances: leave "
            "out past, future and causal."
        )


def hyperedges(layout: BatchLayout, num_modalities: int) -> Tensor:
    """Builds a hyperedge for each utterance, and for each conversation and modality.

    The hyperedges of M3NET (Chen et al., CVPR 2023). Absent nodes are in none.

    Args:
        layout: The batch's.
        num_modalities: M.

    Returns:
        `[2, I]` int64: nodes `u * M + m`, and the hyperedges that they are in.
    """
    size = layout.num_utterances
    node = torch.arange(size * num_modalities, device=layout.batch.device)
    utterance, modality = node // num_modalities, node % num_modalities
    conversation = size + layout.batch[utterance] * num_modalities + modality
    index = torch.stack([node.repeat(2), torch.cat([utterance, conversation])])
    if layout.present is None:
        return index
    return index[:, layout.present.flatten().repeat(2)]
