"""The multimodal graph of a batch of conversations."""

from dataclasses import dataclass

import torch
from torch import Tensor

from graphfusion._utils.autocast import without_autocast
from graphfusion._utils.checks import (
    check_bool,
    check_dtype,
    check_not_empty,
    check_real,
    check_size,
    check_tensor,
)
from graphfusion.data.layout import BatchLayout, as_layout
from graphfusion.graph.blocks import take, tile
from graphfusion.graph.relations import Relations
from graphfusion.graph.similarity import direction, similarity_of_cosine


@dataclass(frozen=True, eq=False, repr=False)
class MultimodalGraph:
    r"""The normalised adjacency :math:`P = D^{-1/2} A D^{-1/2}` of a batch, kept as small blocks.

    `P[target, source]` is how much of the source node a target node receives. Nodes are numbered
    `u * M + m`. Made by :class:`ConversationGraph`; a pytree, so that it passes through
    :func:`torch.compile` and :func:`torch.export.export`.

    Attributes:
        intra: `[N, M, S, K]`, the entries within a modality, in N tiles of S targets by K sources.
        inter: `[U, M, M]`, the entries between the modalities of one utterance.
        columns: `[N, M, K]` int64, the node of each column of a tile.
        row_of_node: `[U, M]` int64, where the rows of all tiles, flattened, have each node.
        present: `[U, M]` bool, or None if all are.
    """

    intra: Tensor
    inter: Tensor
    columns: Tensor
    row_of_node: Tensor
    present: Tensor | None

    def propagate(self, x: Tensor) -> Tensor:
        """Returns `P x` for `x [U, M, C]`; absent nodes, whatever they hold, receive and give none.

        Raises:
            TypeError: If the dtype of `x` is not the graph's.
            ValueError: If the shape of `x` is another.
        """
        check_tensor("x", x, [*self.inter.shape[:2], "C"])
        check_dtype("x", x, self.intra)
        if self.present is not None:
            x = x.where(self.present.unsqueeze(-1), 0)
        columns = x.flatten(0, 1).index_select(0, self.columns.flatten())
        tiles = columns.view(-1, self.columns.size(2), x.size(2))
        rows = torch.bmm(self.intra.flatten(0, 1), tiles)
        own = rows.flatten(0, 1).index_select(0, self.row_of_node.flatten())
        return torch.baddbmm(own.view(x.shape), self.inter, x)

    def __matmul__(self, x: Tensor) -> Tensor:
        return self.propagate(x)

    def to_edge_index(self) -> tuple[Tensor, Tensor]:
        """P's entries as PyG has them, for any other graph module.

        Returns:
            `edge_index [2, E]`, `[source; target]` sorted by target, then source, and
            `edge_weight [E]`, through which gradients flow.
        """
        tile, modality, row, column = self.intra.nonzero(as_tuple=True)
        of_slot = self.row_of_node.new_zeros(self.intra[..., 0].numel())
        nodes = torch.arange(self.row_of_node.numel(), device=self.row_of_node.device)
        of_slot[self.row_of_node.flatten()] = nodes
        # The rows of a tile beyond its conversation are empty, so every row met here has a node.
        target = of_slot.view(self.intra.shape[:3])[tile, modality, row]
        source = self.columns[tile, modality, column]
        utterance, to, come = self.inter.nonzero(as_tuple=True)
        num_modalities = self.inter.size(1)
        source = torch.cat([source, utterance * num_modalities + come])
        target = torch.cat([target, utterance * num_modalities + to])
        weight = torch.cat(
            [self.intra[tile, modality, row, column], self.inter[utterance, to, come]]
        )
        order = (target * len(nodes) + source).argsort()
        return torch.stack([source[order], target[order]]), weight[order]

    def to_dense(self) -> Tensor:
        """P as `[U * M, U * M]`, the transpose of PyG's `to_dense_adj`; quadratic in the batch."""
        (source, target), weight = self.to_edge_index()
        size = self.row_of_node.numel()
        return weight.new_zeros(size, size).index_put((target, source), weight)

    def __repr__(self) -> str:
        size, modalities = self.row_of_node.shape
        return f"{type(self).__name__}(num_utterances={size}, num_modalities={modalities})"


torch.export.register_dataclass(MultimodalGraph, serialized_type_name="graphfusion.MultimodalGraph")


class ConversationGraph(torch.nn.Module):
    r"""Builds the graph of a batch of conversations (MM-DFN, graph construction).

    Within a modality, every utterance is joined with every utterance of its conversation in reach,
    itself included, by the angular similarity of their nodes; across modalities, only the nodes of
    the same utterance are joined, by `cross_weight` times their similarity. Then
    :math:`P = D^{-1/2} A D^{-1/2}`, with D the row sums of A. Gradients flow through P into x.

    Args:
        past: How many preceding utterances a node hears; None: all.
        future: How many following utterances a node hears; None: all.
        cross_weight: Weight of the edges between modalities, :math:`\gamma \ge 0`.
        relations: Whether the similarities within a modality are multiplied by a learned strength
            of their relation: an utterance and itself, or the same speaker or another, in the past
            or in the future. The layout then needs speakers.

    Raises:
        TypeError: If an argument is not a number, or `relations` not a bool.
        ValueError: If an argument is negative.
    """

    def __init__(
        self,
        past: int | None = None,
        future: int | None = None,
        cross_weight: float = 1.0,
        relations: bool = False,
    ) -> None:
        super().__init__()
        if past is not None:
            check_size("past", past, least=0)
        if future is not None:
            check_size("future", future, least=0)
        check_real("cross_weight", cross_weight, 0)
        check_bool("relations", relations)
        self.past = past
        self.future = future
        self.cross_weight = cross_weight
        self.relations = Relations() if relations else None

    def reset_parameters(self) -> None:
        """Makes all relations equally strong; without them, the graph has no parameters."""
        if self.relations is not None:
            self.relations.reset_parameters()

    def forward(self, x: Tensor, ptr: Tensor | BatchLayout) -> MultimodalGraph:
        """Builds the graph.

        Args:
            x: `[U, M, C]`, the nodes' vectors; a zero vector has cosine 0 with all.
            ptr: `[B + 1]`, or the batch's layout.

        Returns:
            The graph, in the dtype of `x`; similarities are computed in float32 at least.

        Raises:
            TypeError: If an argument is not a tensor of the right dtype.
            ValueError: If the shapes disagree, or there are relations and no speakers.
        """
        check_tensor("x", x, ["U", "M", "C"])
        check_not_empty("x", x)
        layout = as_layout(ptr, x.device)
        if self.relations is not None and layout.speaker is None:
            raise ValueError("speaker must be given to the layout for relations, but got none.")
        check_tensor("x", x, [layout.num_utterances, layout.num_modalities or "M", "C"])
        present = layout.present
        if present is not None:
            x = x.where(present.unsqueeze(-1), 0)
        with without_autocast(x.device):
            return self._build(x, present, layout)

    def _build(self, x: Tensor, present: Tensor | None, layout: BatchLayout) -> MultimodalGraph:
        num_modalities = x.size(1)
        rows, columns, joined, slot = tile(layout, self.past, self.future)
        joined = joined.unsqueeze(1)
        if present is not None:
            joined = joined & take(present, rows).unsqueeze(3) & take(present, columns).unsqueeze(2)

        unit = direction(x)
        cosine = take(unit, rows) @ take(unit, columns).mT
        # A vector's cosine with itself is known, and arccos is steepest there.
        itself = (rows.unsqueeze(2) == columns.unsqueeze(1)).unsqueeze(1)
        nonzero = unit.detach().ne(0).any(-1).to(unit.dtype)
        cosine = torch.where(itself, take(nonzero, rows).unsqueeze(3), cosine)
        within = similarity_of_cosine(cosine).where(joined, 0)
        if self.relations is not None and layout.speaker is not None:
            target, source = rows.unsqueeze(2), columns.unsqueeze(1)
            other = layout.speaker[target] != layout.speaker[source]
            within = within * self.relations(other, source - target).unsqueeze(1)
        across = self.cross_weight * join_modalities(unit, present)

        modality = torch.arange(num_modalities, device=x.device)
        height = rows.size(1)
        start = slot // height * num_modalities * height + slot % height
        target = start.unsqueeze(1) + modality * height

        degree = within.sum(-1).flatten()[target] + across.sum(-1)
        if present is not None:
            degree = degree.where(present, 1)  # any number: an absent node has no edges
        scale = degree.rsqrt()
        within = within * take(scale, rows).unsqueeze(3) * take(scale, columns).unsqueeze(2)
        across = across * scale.unsqueeze(2) * scale.unsqueeze(1)
        return MultimodalGraph(
            intra=within.to(x.dtype).contiguous(),  # or each layer would copy it
            inter=across.to(x.dtype),
            columns=columns.unsqueeze(1) * num_modalities + modality.unsqueeze(1),
            row_of_node=target,
            present=present,
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(past={self.past}, future={self.future}, "
            f"cross_weight={self.cross_weight}, relations={self.relations is not None})"
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
