"""Builds the multimodal graph of a batch of conversations."""

import torch
from torch import Tensor

from graphfusion._utils.autocast import without_autocast
from graphfusion._utils.checks import check_not_empty, check_real, check_size, check_tensor
from graphfusion._utils.counted import counted
from graphfusion._utils.memory import is_out_of_memory
from graphfusion.data.layout import BatchLayout, as_layout
from graphfusion.data.masking import screen
from graphfusion.graph.blocks import cover, take, take_nodes
from graphfusion.graph.multimodal_graph import MultimodalGraph
from graphfusion.graph.similarity import direction, similarity_of_cosine


class ConversationGraph(torch.nn.Module):
    r"""Builds the graph of a batch of conversations (MM-DFN, graph construction).

    Within a modality, every utterance is joined with every utterance of its conversation within
    the window, itself included, by the angular similarity of their nodes; across modalities, only
    the nodes of the same utterance are joined, by `cross_weight` times their similarity. Then
    :math:`P = D^{-1/2} A D^{-1/2}`, with D the row sums of A. Gradients flow through P into x.

    Args:
        past: How many preceding utterances a node receives from; None: all.
        future: How many following utterances a node receives from; None: all.
        cross_weight: Weight of the edges between modalities, :math:`\gamma \ge 0`.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If an argument is negative.

    Shapes:
        - **input:** `x [U, M, C]`, `ptr [B + 1]` or the batch's layout.
        - **output:** a :class:`MultimodalGraph` of U * M nodes.

    Example:
        >>> import torch
        >>> ConversationGraph(past=10)(torch.randn(5, 2, 16), torch.tensor([0, 3, 5]))
        MultimodalGraph(num_utterances=5, num_modalities=2)
    """

    def __init__(
        self, past: int | None = None, future: int | None = None, cross_weight: float = 1.0
    ) -> None:
        super().__init__()
        if past is not None:
            check_size("past", past, least=0)
        if future is not None:
            check_size("future", future, least=0)
        check_real("cross_weight", cross_weight, 0)
        self.past = past
        self.future = future
        self.cross_weight = cross_weight

    def reset_parameters(self) -> None:
        """Does nothing: the graph has no parameters."""

    def forward(self, x: Tensor, ptr: Tensor | BatchLayout) -> MultimodalGraph:
        """Builds the graph.

        Args:
            x: `[U, M, C]`, node vectors; a zero vector has cosine 0 with all. A conversation with
                NaN or infinity at a present node counts as zeros.
            ptr: `[B + 1]`, or the batch's layout.

        Returns:
            The graph, in the dtype of `x`; similarities are computed in float32 at least.

        Raises:
            TypeError: If an argument is not a tensor of the right dtype.
            ValueError: If the shapes disagree.
            torch.OutOfMemoryError: If the graph does not fit into memory.
        """
        check_tensor("x", x, ["U", "M", "C"])
        check_not_empty("x", x)
        layout = as_layout(ptr, x.device)
        check_tensor("x", x, [layout.num_utterances, layout.num_modalities or "M", "C"])
        x, _ = screen(x, layout)
        with without_autocast(x.device):
            if torch.compiler.is_compiling():
                return self._build(x, layout)
            try:
                return self._build(x, layout)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                raise self._too_long(x, layout, error) from error

    def _too_long(
        self, x: Tensor, layout: BatchLayout, error: RuntimeError
    ) -> torch.OutOfMemoryError:
        """The error of a graph that is too large, with its size and how to reduce it."""
        (count, longest), modalities = layout.blocks.shape, x.size(1)
        size = (
            count * modalities * longest**2 * torch.promote_types(x.dtype, torch.float32).itemsize
        )
        return torch.OutOfMemoryError(
            f"the graph must fit into memory, but where past and future are {self.past} and "
            f"{self.future}, the edges of {counted(layout.num_utterances, 'utterance')}, "
            f"{longest} in the longest conversation, take up to {size / 2**30:.3g} GiB, and "
            "several times as much in training: give ConversationGraph, or MMDFN, a smaller past "
            f"and future. ({error})"
        )

    def _build(self, x: Tensor, layout: BatchLayout) -> MultimodalGraph:
        num_modalities, present = x.size(1), layout.present
        blocks = cover(layout, self.past, self.future)
        rows, columns, slot = blocks.rows, blocks.columns, blocks.slot
        joined = blocks.joined.unsqueeze(1)
        if present is not None:
            joined = joined & take(present, rows).unsqueeze(3) & take(present, columns).unsqueeze(2)

        modality = torch.arange(num_modalities, device=x.device).unsqueeze(1)
        sources = torch.add(modality, columns.unsqueeze(1), alpha=num_modalities)
        targets = sources
        if rows is not columns:
            targets = torch.add(modality, rows.unsqueeze(1), alpha=num_modalities)

        unit = direction(x)
        of_source = take_nodes(unit, sources)
        of_target = of_source if targets is sources else take_nodes(unit, targets)
        cosine = of_target @ of_source.mT
        # A vector's cosine with itself is 1, or 0 for a zero vector, and arccos is steepest there.
        itself = (rows.unsqueeze(2) == columns.unsqueeze(1)).unsqueeze(1)
        cosine = torch.where(itself, cosine.detach().round(), cosine)
        intra = similarity_of_cosine(cosine).where(joined, 0)
        inter = self.cross_weight * join_modalities(unit, present)

        # A block's rows come once for each modality: block * M + m strips of rows before.
        height = rows.size(1)
        strip = torch.add(modality.t(), (slot // height).unsqueeze(1), alpha=num_modalities - 1)
        row_of_node = torch.add(slot.unsqueeze(1), strip, alpha=height)

        degree = take_nodes(intra.sum(-1).flatten(0, 1), row_of_node) + inter.sum(-1)
        if present is not None:
            degree = degree.where(present, 1)  # any number: an absent node has no edges
        scale = degree.rsqrt()
        of_source = take_nodes(scale, sources)
        of_target = of_source if targets is sources else take_nodes(scale, targets)
        intra = intra * of_target.unsqueeze(3) * of_source.unsqueeze(2)
        inter = inter * scale.unsqueeze(2) * scale.unsqueeze(1)
        return MultimodalGraph(
            intra=intra.to(x.dtype).contiguous(),  # or each layer would copy it
            inter=inter.to(x.dtype),
            columns=sources,
            row_of_node=row_of_node,
            blocks=blocks,
            layout=layout,
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(past={self.past}, future={self.future}, "
            f"cross_weight={self.cross_weight})"
        )


def join_modalities(unit: Tensor, present: Tensor | None) -> Tensor:
    """Similarities `[U, M, M]` of the nodes of each utterance, from their unit vectors.

    Zeros where they are one node, or one is absent.
    """
    modality = torch.arange(unit.size(1), device=unit.device)
    distinct = modality.unsqueeze(1) != modality
    if present is not None:
        distinct = distinct & present.unsqueeze(2) & present.unsqueeze(1)
    return similarity_of_cosine(unit @ unit.mT).where(distinct, 0)
