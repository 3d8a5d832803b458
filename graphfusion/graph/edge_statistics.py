"""Statistics of a graph's edge weights over the neighbours of each node."""

import torch
from torch_geometric.utils import scatter

from graphfusion.graph.multimodal_graph import MultimodalGraph


def edge_statistics(graph: MultimodalGraph) -> dict[str, float]:
    """Computes how uneven edge weights are, and their share across modalities.

    Of each node's incoming edges from its own modality, with weights that sum to one:

    - `perplexity`: the exponential of their entropy over their number; 1 where all weigh the same,
      and 1 over their number where one weighs all. Mean over nodes.
    - `least`, `largest`: the least and the largest weight of all nodes, over the mean of its node's
      weights.

    And `cross_modal`: the share of a node's incoming weight that comes from other modalities, mean
    over nodes. All are NaN in a graph without edges.

    Example:
        >>> import torch
        >>> from graphfusion import ConversationGraph
        >>> x = torch.ones(4, 2, 3)  # all alike
        >>> statistics = edge_statistics(ConversationGraph()(x, torch.tensor([0, 4])))
        >>> round(statistics["perplexity"], 3), round(statistics["cross_modal"], 3)
        (1.0, 0.2)
    """
    (source, target), weight = graph.to_edge_index()
    size, modalities = graph.row_of_node.numel(), graph.inter.size(1)
    weight = weight.detach().double()
    within = source % modalities == target % modalities

    def by_node(values: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = scatter(values, target, dim_size=size)
        return out

    own = weight * within
    total, count = by_node(own), by_node(within.double())
    share = own / total[target]
    entropy = by_node(-torch.special.xlogy(share, share))
    here = total > 0
    relative = (share * count[target])[within]
    cross = 1 - total / by_node(weight)
    extremes = relative.aminmax() if len(relative) else (torch.tensor(torch.nan),) * 2
    return {
        "perplexity": float((entropy.exp() / count)[here].mean()),
        "least": float(extremes[0]),
        "largest": float(extremes[1]),
        "cross_modal": float(cross[here].mean()),
    }
