"""PyG convolutions as the fusion of a conversation model."""

from inspect import Parameter, signature
from itertools import pairwise

import torch
from torch import Tensor
from torch_geometric.nn import ARMAConv, ChebConv, MixHopConv, NNConv, SGConv, SSGConv, TAGConv

from graphfusion._kernels.dropout import Dropout
from graphfusion._utils.autocast import is_autocasting
from graphfusion._utils.checks import check_bool, check_dtype, check_real, check_tensor
from graphfusion.graph.edge_types import EDGE_TYPES, edge_types
from graphfusion.graph.hyperedges import check_whole, hyperedges
from graphfusion.graph.multimodal_graph import MultimodalGraph

# The arguments of a convolution that are filled, by their names in PyG.
_FILLED = ("edge_index", "edge_weight", "edge_attr", "edge_type", "hyperedge_index", "x_0")


class ConvFusion(torch.nn.Module):
    """Applies PyG convolutions to the graph of a batch of conversations, with ReLU between them.

    Their arguments are filled by name: `edge_index` and `edge_weight` are the graph's entries;
    `edge_attr`, for a convolution with `edge_dim=1`, the weights as `[E, 1]`; `edge_type` the six
    types of :meth:`MultimodalGraph.edge_type`; `hyperedge_index` joins each utterance's nodes, and
    each conversation's nodes of one modality, so that the graph must have no window; `x_0` is the
    fusion's input. The graph is normalised and has self-loops, so a convolution's own `normalize`
    and `add_self_loops` are turned off.

    Each forward synchronises with a GPU once, to list the graph's edges, and once more for
    hyperedges, to check that there is no window.

    Args:
        *convs: Convolutions of `torch_geometric.nn`, such as `GCN2Conv`, `RGCNConv` (with
            `num_relations=6`), `TransformerConv`, `GATv2Conv` or `HypergraphConv`.
        dropout: Probability of dropping a value of any convolution's input.
        concat: Whether the output is the input (after its dropout) beside the last convolution's
            output, as in :class:`DynamicFusion`, or that output alone.

    Raises:
        TypeError: If a convolution needs an argument that is none of these, or has no integer
            size; or `dropout` or `concat` is of another type.
        ValueError: If there is no convolution, the sizes of two disagree, one caches a graph,
            always normalises it or attends to hyperedges, or `dropout` is out of range.

    Shapes:
        - **input:** `x [U, M, in_channels]` and a :class:`MultimodalGraph`.
        - **output:** `[U, M, out_channels]`.

    Example:
        >>> import torch
        >>> from torch_geometric.nn import RGCNConv, TransformerConv
        >>> from graphfusion import BatchLayout, ConversationGraph
        >>> layout = BatchLayout(torch.tensor([0, 3, 5]), speaker=torch.tensor([0, 1, 0, 0, 1]))
        >>> x = torch.randn(5, 2, 16)
        >>> fusion = ConvFusion(RGCNConv(16, 8, num_relations=6), TransformerConv(8, 8))
        >>> fusion(x, ConversationGraph(past=3, future=3)(x, layout)).shape
        torch.Size([5, 2, 8])
    """

    def __init__(self, *convs: torch.nn.Module, dropout: float = 0.0, concat: bool = False) -> None:
        super().__init__()
        check_real("dropout", dropout, 0, 1)
        check_bool("concat", concat)
        if not convs:
            raise ValueError("convs must be at least one convolution, but got none.")
        for conv in convs:
            _check(conv)
            if hasattr(conv, "add_self_loops"):
                vars(conv)["add_self_loops"] = False
            # Elsewhere, it is of the output.
            if hasattr(conv, "normalize") and (
                hasattr(conv, "add_self_loops") or isinstance(conv, TAGConv)
            ):
                vars(conv)["normalize"] = False
        for conv, following in pairwise(convs):
            if _out_channels(conv) != _in_channels(following):
                raise ValueError(
                    f"convs must fit each other, but {_name(conv)} gives {_out_channels(conv)} "
                    f"channels and {_name(following)} takes {_in_channels(following)}."
                )
        self.convs = torch.nn.ModuleList(convs)
        self.dropout = Dropout(dropout)
        self.concat = concat
        self.in_channels = _in_channels(convs[0])
        self.out_channels = _out_channels(convs[-1]) + (self.in_channels if concat else 0)

    def reset_parameters(self) -> None:
        """Draws new weights."""
        for conv in self.convs:
            conv.reset_parameters()  # type: ignore[operator]

    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        """Computes the fused node vectors.

        Args:
            x: `[U, M, in_channels]`.
            graph: The graph of a batch of conversations; its layout needs speakers for `edge_type`.

        Returns:
            `[U, M, out_channels]`; zeros for absent nodes.

        Raises:
            TypeError: If the graph is no :class:`MultimodalGraph`, or `x` of another dtype than the
                module.
            ValueError: If shapes disagree, the layout lacks speakers, or a window leaves out pairs
                of utterances that a hyperedge would join.
        """
        if not isinstance(graph, MultimodalGraph):
            raise TypeError(f"graph must be a MultimodalGraph, but got {type(graph).__name__}.")
        check_tensor("x", x, ["U", "M", self.in_channels])
        for weight in self.parameters():  # not next(), see first_weight
            check_dtype("x", x, weight)
            break
        x, valid = graph.screen(x)
        x = self.dropout(x)
        nodes = x.flatten(0, 1)
        given = self._arguments(nodes, graph)
        for number, conv in enumerate(self.convs):
            arguments = {name: given[name] for name in _filled(conv)}
            nodes = conv(self.dropout(nodes.relu()) if number else nodes, **arguments)
            if not is_autocasting(x.device):  # RGCNConv adds to zeros of the default dtype
                nodes = nodes.to(x.dtype)
        out = nodes.view(*x.shape[:2], -1)
        return graph.restore(torch.cat([x, out], -1) if self.concat else out, valid)

    def _arguments(self, nodes: Tensor, graph: MultimodalGraph) -> dict[str, Tensor]:
        """The values of the convolutions' arguments, by name."""
        names = {name for conv in self.convs for name in _filled(conv)}
        edge_index, edge_weight = graph.to_edge_index()
        given = {
            "edge_index": edge_index,
            "edge_weight": edge_weight,
            "edge_attr": edge_weight.unsqueeze(1),
            "x_0": nodes,
        }
        if "edge_type" in names:
            given["edge_type"] = edge_types(edge_index, graph.layout, graph.inter.size(1))
        if "hyperedge_index" in names:
            check_whole(graph)
            given["hyperedge_index"] = hyperedges(graph.layout, graph.inter.size(1))
        return given

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.convs))})"


def _filled(conv: torch.nn.Module) -> list[str]:
    """The names of a convolution's arguments that are filled."""
    names = [name for name in signature(conv.forward).parameters if name in _FILLED]
    # Attributes of a size that the convolution was not made for would be added or mixed wrongly.
    return [name for name in names if name != "edge_attr" or getattr(conv, "edge_dim", None) == 1]


def _check(conv: torch.nn.Module) -> None:
    if getattr(conv, "cached", False):
        raise ValueError(
            f"convs must have cached=False, since each batch has another graph, but {_name(conv)} "
            "has True."
        )
    if isinstance(conv, ARMAConv | ChebConv | MixHopConv | SGConv | SSGConv):
        raise ValueError(
            f"convs must take the graph's own weights, but {_name(conv)} always normalises them."
        )
    parameters = signature(conv.forward).parameters
    required = [
        name for name, each in list(parameters.items())[1:] if each.default is Parameter.empty
    ]
    if unknown := [name for name in required if name not in _FILLED]:
        raise TypeError(
            f"convs must take arguments among {list(_FILLED)}, but {_name(conv)} needs {unknown}."
        )
    if getattr(conv, "edge_dim", None) not in (None, 1):
        raise ValueError(
            "edge_dim must be None or 1, for the weights of the edges, but got "
            f"{conv.edge_dim} in {_name(conv)}."
        )
    # They have no edge_dim.
    if isinstance(conv, NNConv) or ("edge_attr" in parameters and getattr(conv, "dim", False)):
        raise TypeError(
            "convs must need no attributes of edges unless they have edge_dim=1, but "
            f"{_name(conv)} needs some."
        )
    if getattr(conv, "use_attention", False):
        raise ValueError(
            "use_attention must be False, since hyperedges have no attributes to attend to, but "
            f"got True in {_name(conv)}."
        )
    relations = getattr(conv, "num_relations", None)
    if relations is not None and relations != len(EDGE_TYPES):
        raise ValueError(
            f"num_relations must be {len(EDGE_TYPES)}, as a conversation's graph has, but got "
            f"{relations} in {_name(conv)}."
        )


def _in_channels(conv: torch.nn.Module) -> int:
    size = getattr(conv, "in_channels", getattr(conv, "channels", None))
    if not isinstance(size, int) or size < 1:
        raise TypeError(f"convs must have an integer in_channels, but {_name(conv)} has {size!r}.")
    return size


def _out_channels(conv: torch.nn.Module) -> int:
    size = getattr(conv, "out_channels", getattr(conv, "channels", None))
    if not isinstance(size, int):
        raise TypeError(f"convs must have an integer out_channels, but {_name(conv)} has {size!r}.")
    heads = getattr(conv, "heads", 1)
    return size * heads if getattr(conv, "concat", False) else size


def _name(conv: torch.nn.Module) -> str:
    return type(conv).__name__
