"""Diagnosis of a trained model: statistics of its edges, fusion layers and weight changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import Batch

from graphfusion._utils.evaluation import evaluation_view
from graphfusion._utils.weights import first_weight
from graphfusion.data.conversation import Conversation
from graphfusion.fusion.dynamic_fusion import DynamicFusion
from graphfusion.fusion.layer_statistics import layer_statistics
from graphfusion.graph.edge_statistics import edge_statistics
from graphfusion.graph.multimodal_graph import MultimodalGraph
from graphfusion.models.conversation_model import ConversationModel


@dataclass(frozen=True)
class Diagnosis:
    """Statistics computed by :func:`diagnose`.

    Args:
        edges: Edge statistics of :func:`graphfusion.graph.edge_statistics`; empty unless the graph
            is a :class:`ConversationGraph`.
        layers: A row of :func:`graphfusion.fusion.layer_statistics` for each layer; empty unless
            the fusion is a :class:`DynamicFusion`.
        moved: A row for each parameter: `first`, the root mean square of its initial values;
            `change`, that of its change in training; and `ratio`, `change / first`. Empty if the
            initial weights are not given.
    """

    edges: Mapping[str, float]
    layers: pd.DataFrame
    moved: pd.DataFrame


def diagnose(
    model: ConversationModel,
    conversations: Sequence[Conversation],
    first: Mapping[str, Tensor] | None = None,
) -> Diagnosis:
    """Computes statistics of a model's graph, fusion layers and weights on conversations.

    Args:
        model: A trained model.
        conversations: The conversations, processed as one batch.
        first: The parameters before training, such as :attr:`Run.first_weights`; None: unknown.

    Raises:
        ValueError: If there are no conversations, they do not fit the model, or `first` is another
            model's.

    Example:
        >>> from graphfusion.datasets import synthetic
        >>> from graphfusion.training import Recipe, diagnose
        >>> corpus = synthetic(num_train=2, num_test=2)
        >>> model = Recipe(changes={"num_layers": 2}).build(corpus)
        >>> diagnosis = diagnose(model, corpus.splits["test"])
        >>> round(diagnosis.edges["perplexity"], 1), len(diagnosis.layers)
        (1.0, 2)
    """
    if len(conversations) == 0:
        raise ValueError("conversations must have at least one, but is empty.")
    view = evaluation_view(model)
    observed = _ObservedFusion(view.fusion)
    view.fusion = observed  # the model itself keeps its fusion
    with torch.no_grad():
        view(Batch.from_data_list(list(conversations)).to(first_weight(model).device))
    moved = pd.DataFrame()
    if first is not None:
        moved = _weight_changes(dict(model.named_parameters()), first)
    return Diagnosis(observed.edges, observed.layers, moved)


class _ObservedFusion(torch.nn.Module):
    """Wraps a fusion, and stores statistics of its last call."""

    def __init__(self, fusion: torch.nn.Module) -> None:
        super().__init__()
        self.fusion = fusion
        self.edges: dict[str, float] = {}
        self.layers = pd.DataFrame()

    def forward(self, x: Tensor, graph: Any) -> Tensor:
        """Returns the output of the fusion."""
        if isinstance(graph, MultimodalGraph):
            self.edges = edge_statistics(graph)
        if isinstance(self.fusion, DynamicFusion):
            self.layers = pd.DataFrame(layer_statistics(self.fusion, x, graph))
        out: Tensor = self.fusion(x, graph)
        return out


def _weight_changes(parameters: Mapping[str, Tensor], first: Mapping[str, Tensor]) -> pd.DataFrame:
    if missing := sorted(parameters.keys() - first.keys()):
        raise ValueError(f"first must have all of the model's parameters, but lacks {missing}.")
    rows = {}
    for name, now in parameters.items():
        before, now = first[name].double(), now.detach().double()
        if before.shape != now.shape:
            raise ValueError(
                f"first must have {name} of shape {list(now.shape)}, but has {list(before.shape)}."
            )
        size, change = (float(x.square().mean().sqrt()) for x in (before, now - before))
        rows[name] = {"first": size, "change": change, "ratio": change / size if size else None}
    return pd.DataFrame.from_dict(rows, orient="index").astype(float)
