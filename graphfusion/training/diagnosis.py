"""What a trained model's graph and fusion do: edges, messages, gates, weights that moved."""

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
    """What :func:`diagnose` found.

    Args:
        edges: Of the graph, as :func:`graphfusion.graph.edge_statistics` has them; empty for
            another graph than :class:`ConversationGraph` builds.
        layers: A row for each layer of a :class:`DynamicFusion`, as
            :func:`graphfusion.fusion.layer_statistics` has them; empty for another fusion.
        moved: A row for each parameter: `first`, the root mean square of its first values;
            `change`, that of its change since; `ratio`, of both. Empty without first weights.
    """

    edges: Mapping[str, float]
    layers: pd.DataFrame
    moved: pd.DataFrame


def diagnose(
    model: ConversationModel,
    conversations: Sequence[Conversation],
    first: Mapping[str, Tensor] | None = None,
) -> Diagnosis:
    """Measures what the parts of a model do with conversations.

    Args:
        model: A trained model.
        conversations: What it predicts, as one batch.
        first: Its parameters before training, such as :attr:`Run.first_weights`; None: unknown.

    Raises:
        ValueError: If the conversations do not fit the model, or `first` is another model's.

    Example:
        >>> from graphfusion.datasets import synthetic
        >>> from graphfusion.training import Recipe, diagnose
        >>> corpus = synthetic(num_train=2, num_test=2)
        >>> model = Recipe(changes={"num_layers": 2}).build(corpus)
        >>> diagnosis = diagnose(model, corpus.splits["test"])
        >>> round(diagnosis.edges["perplexity"], 1), len(diagnosis.layers)
        (1.0, 2)
    """
    view = evaluation_view(model)
    observed = _Observed(view.fusion)
    view.fusion = observed  # of the view alone
    with torch.no_grad():
        view(Batch.from_data_list(list(conversations)).to(first_weight(model).device))
    moved = pd.DataFrame() if first is None else _moved(dict(model.named_parameters()), first)
    return Diagnosis(observed.edges, observed.layers, moved)


class _Observed(torch.nn.Module):
    """A fusion, and statistics of what it was last given."""

    def __init__(self, fusion: torch.nn.Module) -> None:
        super().__init__()
        self.fusion = fusion
        self.edges: dict[str, float] = {}
        self.layers = pd.DataFrame()

    def forward(self, x: Tensor, graph: Any) -> Tensor:
        """Returns what the fusion does."""
        if isinstance(graph, MultimodalGraph):
            self.edges = edge_statistics(graph)
        if isinstance(self.fusion, DynamicFusion):
            self.layers = pd.DataFrame(layer_statistics(self.fusion, x, graph))
        out: Tensor = self.fusion(x, graph)
        return out


def _moved(parameters: Mapping[str, Tensor], first: Mapping[str, Tensor]) -> pd.DataFrame:
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
