"""Fusions of other papers in place of MM-DFN's, with the rest of the model unchanged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from torch import Tensor
from torch_geometric.nn import (
    GCN2Conv,
    GraphConv,
    HypergraphConv,
    RGCNConv,
    TransformerConv,
)

from graphfusion._kernels.dropout import Dropout
from graphfusion.fusion.conv_fusion import ConvFusion
from graphfusion.graph.builder import ConversationGraph
from graphfusion.graph.edge_types import EDGE_TYPES
from graphfusion.graph.propagator import Propagator
from graphfusion.models.classifier import Classifier
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.identity import NoFusion
from graphfusion.models.mmdfn import MMDFN
from graphfusion.models.named_linear import NamedLinear
from graphfusion.models.relational_attention import RelationalAttention

# For convolutions on edge lists: without a window, the edges are quadratic in the length.
WINDOW = 10


class JointLayer(torch.nn.Module):
    """One hidden layer over the concatenated nodes of each utterance: fusion without a graph.

    Args:
        modalities: Their names, in the order of the nodes.
        in_channels: Size C of a node.
        hidden_channels: Size H of the layer.
        dropout: Probability of dropping a value.

    Shapes:
        - **input:** `x [U, M, C]` and any graph.
        - **output:** `[U, M, C + H]`, the layer's output beside each node.
    """

    def __init__(
        self, modalities: Sequence[str], in_channels: int, hidden_channels: int, dropout: float
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = in_channels + hidden_channels
        self.dropout = Dropout(dropout)
        self.modalities = tuple(modalities)
        self.linear = NamedLinear(dict.fromkeys(modalities, in_channels), hidden_channels)

    def reset_parameters(self) -> None:
        """Draws new weights."""
        self.linear.reset_parameters()

    def forward(self, x: Tensor, graph: Propagator) -> Tensor:
        """Returns `[U, M, C + H]`."""
        x, valid = graph.screen(x)
        x = self.dropout(x)
        joint = self.linear(rearrange(x, "u m c -> u (m c)")).relu()
        joint = repeat(joint, "u h -> u m h", m=x.size(1))
        return graph.restore(torch.cat([x, joint], -1), valid)


@dataclass(frozen=True)
class Fusion:
    """A named fusion, built for the sizes of a model.

    Args:
        make: Builds it for the sizes of a model.
        window: How many utterances before and after a node receives from, unless the model has a
            window; None: all. Missing nodes are then imputed from these, too.
        whole: Whether it always joins whole conversations, so that it takes no window.
    """

    make: Callable[[MMDFN], torch.nn.Module]
    window: int | None = None
    whole: bool = False


def _convolutions(*kinds: Callable[[int, int], torch.nn.Module]) -> Callable[[MMDFN], ConvFusion]:
    """Convolutions, each made from its input's size and the model's hidden size."""

    def make(model: MMDFN) -> ConvFusion:
        channels, hidden = model.fusion.in_channels, model.fusion.hidden_channels
        sizes = [channels, *[hidden] * (len(kinds) - 1)]
        convs = [kind(size, hidden) for kind, size in zip(kinds, sizes, strict=True)]
        return ConvFusion(*convs, dropout=model.fusion.dropout.p, concat=True)

    return make


def _gcn2(model: MMDFN) -> ConvFusion:
    old = model.fusion
    convs = [
        GCN2Conv(old.in_channels, old.alpha, old.theta, layer)
        for layer in range(1, old.num_layers + 1)
    ]
    return ConvFusion(*convs, dropout=old.dropout.p, concat=True)


def _relational(size: int, hidden: int) -> RGCNConv:
    return RGCNConv(size, hidden, num_relations=len(EDGE_TYPES))


def _relational_attention(size: int, hidden: int) -> RelationalAttention:
    return RelationalAttention(size, hidden, num_relations=len(EDGE_TYPES))


FUSIONS = {
    "no_fusion": Fusion(lambda model: NoFusion(model.fusion.in_channels)),
    "joint_layer": Fusion(
        lambda model: JointLayer(
            list(model.in_channels),
            model.fusion.in_channels,
            model.fusion.hidden_channels,
            model.fusion.dropout.p,
        )
    ),
    # GCNII (Chen et al., ICML 2020), as many layers as the model has.
    "gcn2": Fusion(_gcn2, WINDOW),
    # COGMEN (Joshi et al., NAACL 2022): relations, then attention.
    "rgcn_transformer": Fusion(_convolutions(_relational, TransformerConv), WINDOW),
    # DialogueGCN (Ghosal et al., EMNLP 2019): relational attention, then a graph convolution.
    "relational_attention": Fusion(_convolutions(_relational_attention, GraphConv), WINDOW),
    # M3NET (Chen et al., CVPR 2023): a hyperedge for each utterance and for each modality.
    "hypergraph": Fusion(_convolutions(HypergraphConv, HypergraphConv), whole=True),
    # Scaled dot-product attention (Vaswani et al., NeurIPS 2017) within the window.
    "self_attention": Fusion(_convolutions(TransformerConv), WINDOW),
}


def swap_fusion(model: MMDFN, name: str) -> ConversationModel:
    """Replaces the fusion of a model by a named one.

    Args:
        model: Its encoder, window, sizes and dropout are kept. Do not use it afterwards.
        name: One of `FUSIONS`.

    Raises:
        ValueError: If there is no such fusion, or it does not take the model's window or `concat`.
    """
    if name not in FUSIONS:
        raise ValueError(f"name must be one of {list(FUSIONS)}, but got {name!r}.")
    graph, chosen = model.graph, FUSIONS[name]
    if chosen.whole and (graph.past, graph.future) != (None, None):
        raise ValueError(
            f"past, future and causal must be left out with {name}, which joins whole "
            f"conversations, but got past={graph.past} and future={graph.future}."
        )
    if not model.fusion.concat:
        raise ValueError(f"concat must be True with {name}, but got False.")
    if chosen.window is not None:
        past = chosen.window if graph.past is None else graph.past
        future = chosen.window if graph.future is None else graph.future
        graph = ConversationGraph(past, future, graph.cross_weight)
    fusion = chosen.make(model)
    head = Classifier(
        list(model.in_channels),
        int(fusion.out_channels),  # type: ignore[arg-type]
        model.num_classes,
        model.head.dropout.p,
        model.head.utterance_classifier,
    )
    return ConversationModel(model.encoder, graph, fusion, head, model.class_names, model.task)
