"""The multimodal graph of a batch of conversations."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphfusion._utils.checks import check_dtype, check_tensor
from graphfusion.data import masking
from graphfusion.data.layout import BatchLayout, as_layout
from graphfusion.data.layout_checks import shorten
from graphfusion.graph.blocks import Blocks, take_nodes
from graphfusion.graph.edge_types import edge_types
from graphfusion.graph.impute import impute


@dataclass(frozen=True, eq=False, repr=False)
class MultimodalGraph:
    r"""The normalised adjacency :math:`P = D^{-1/2} A D^{-1/2}` of a batch, as small dense blocks.

    `P[target, source]` is the weight of the edge from the source to the target. Nodes are numbered
    `u * M + m`. Made by :class:`ConversationGraph`; a registered pytree, so that it passes through
    :func:`torch.compile` and :func:`torch.export.export`.

    Attributes:
        intra: `[N, M, S, K]`, the entries within a modality, in N blocks of S targets by K sources.
        inter: `[U, M, M]`, the entries between the modalities of one utterance.
        columns: `[N, M, K]` int64, the node of each column of a block.
        row_of_node: `[U, M]` int64, where the rows of all blocks, flattened, have each node.
        blocks: The utterances of each block's rows and columns, and which pairs are joined.
        layout: The batch's layout.

    Example:
        >>> import torch
        >>> from graphfusion import BatchLayout, ConversationGraph
        >>> x = torch.randn(5, 2, 16)
        >>> graph = ConversationGraph()(x, BatchLayout(torch.tensor([0, 3, 5])))
        >>> edge_index, edge_weight = graph.to_edge_index()
        >>> dense = (graph.to_dense() @ x.flatten(0, 1)).view_as(x)
        >>> torch.allclose(graph.propagate(x), dense, atol=1e-5)
        True
    """

    intra: Tensor
    inter: Tensor
    columns: Tensor
    row_of_node: Tensor
    blocks: Blocks
    layout: BatchLayout

    @property
    def present(self) -> Tensor | None:
        """`[U, M]` bool, which nodes exist; None: all."""
        return self.layout.present

    def screen(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Zeroes absent nodes of `x [U, M, C]`, and conversations with NaN or infinity.

        Returns:
            x, and `[U]` bool, which utterances are of finite conversations; None in a model.

        Raises:
            ValueError: If the shape of `x` is another.
        """
        check_tensor("x", x, [*self.inter.shape[:2], "C"])
        return masking.screen(x, self.layout)

    def screened(self) -> "MultimodalGraph":
        """The same graph for nodes that are all finite, so that none is masked again."""
        if self.layout.is_screened:
            return self
        return replace(self, layout=self.layout.screened())

    def restore(self, out: Tensor, valid: Tensor | None) -> Tensor:
        """Zeros at absent nodes of `out [U, M, ...]`, and NaN in conversations that had NaN."""
        return masking.restore(out, self.layout, valid)

    def propagate(self, x: Tensor) -> Tensor:
        """Returns `P x` for `x [U, M, C]`; zeros at absent nodes, whatever they hold.

        Raises:
            TypeError: If the dtype of `x` is not the graph's.
            ValueError: If the shape of `x` is another.
        """
        check_dtype("x", x, self.intra)
        x, valid = self.screen(x)
        count, _, height, width = self.intra.shape
        if count == 1 and height == width == x.size(0):  # one conversation, in order
            own = torch.bmm(self.intra.squeeze(0), x.transpose(0, 1)).transpose(0, 1)
        else:
            blocks = take_nodes(x, self.columns).flatten(0, 1)
            rows = torch.bmm(self.intra.flatten(0, 1), blocks)
            own = take_nodes(rows, self.row_of_node)
        return self.restore(torch.baddbmm(own, self.inter, x), valid)

    def __matmul__(self, x: Tensor) -> Tensor:
        return self.propagate(x)

    def impute(self, x: Tensor) -> Tensor:
        """Imputes absent nodes from present ones of the same modality within the window.

        With their mean, weighted by `exp(-|t - s| / 3)`; zero where none is present.

        Args:
            x: `[U, M, C]`; values at absent nodes are ignored.
        """
        if self.layout.present is None:
            return x
        x, valid = self.screen(x)
        return masking.restore_valid(impute(x, self.layout.present, self.blocks), valid)

    def to_edge_index(self) -> tuple[Tensor, Tensor]:
        """Converts P to PyG's `edge_index` and `edge_weight`.

        Returns:
            `edge_index [2, E]`, `[source; target]` sorted by target, then source, and
            `edge_weight [E]`, through which gradients flow.
        """
        block, modality, row, column = self.intra.nonzero(as_tuple=True)
        of_slot = self.row_of_node.new_zeros(self.intra[..., 0].numel())
        nodes = torch.arange(self.row_of_node.numel(), device=self.row_of_node.device)
        of_slot[self.row_of_node.flatten()] = nodes
        # The rows of a block beyond its conversation are empty, so every row here has a node.
        target = of_slot.view(self.intra.shape[:3])[block, modality, row]
        source = self.columns[block, modality, column]
        utterance, to, come = self.inter.nonzero(as_tuple=True)
        num_modalities = self.inter.size(1)
        source = torch.cat([source, utterance * num_modalities + come])
        target = torch.cat([target, utterance * num_modalities + to])
        weight = torch.cat(
            [self.intra[block, modality, row, column], self.inter[utterance, to, come]]
        )
        # Not len(nodes), which would be fixed in what is exported.
        order = (target * nodes.size(0) + source).argsort()
        return torch.stack([source[order], target[order]]), weight[order]

    def edge_type(self, layout: BatchLayout | None = None) -> Tensor:
        """Computes the type of each edge of :meth:`to_edge_index`, for PyG's relational layers.

        Args:
            layout: The batch's, with its speakers; None: the graph's own.

        Returns:
            `[E]` int64, in `[0, 6)`: an utterance and itself (0); the past of the same speaker (1)
            and of another (2); the future of the same speaker (3) and of another (4); two
            modalities of one utterance (5).

        Raises:
            ValueError: If the layout has no speakers, or is another batch's.
        """
        layout = self.layout if layout is None else as_layout(layout, self.intra.device)
        if layout is not self.layout and not torch.equal(layout.ptr, self.layout.ptr):
            raise ValueError(
                f"layout must be of the graph's batch, with ptr {shorten(self.layout.ptr)}, but "
                f"got one with {shorten(layout.ptr)}."
            )
        return edge_types(self.to_edge_index()[0], layout, self.inter.size(1))

    def to_dense(self) -> Tensor:
        """Converts P to `[U * M, U * M]`, the transpose of PyG's `to_dense_adj`."""
        (source, target), weight = self.to_edge_index()
        size = self.row_of_node.numel()
        return weight.new_zeros(size, size).index_put((target, source), weight)

    def __repr__(self) -> str:
        size, modalities = self.row_of_node.shape
        return f"{type(self).__name__}(num_utterances={size}, num_modalities={modalities})"


torch.export.register_dataclass(MultimodalGraph, serialized_type_name="graphfusion.MultimodalGraph")
