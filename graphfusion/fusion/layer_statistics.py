"""Statistics of each layer of a dynamic fusion: message sizes and gate activations."""

from collections.abc import Callable, Sequence
from copy import copy

import numpy as np
import torch
from torch import Tensor

from graphfusion.fusion.dynamic_fusion import DynamicFusion
from graphfusion.graph.multimodal_graph import MultimodalGraph

_RANGE = (0.01, 0.99)


def layer_statistics(
    fusion: DynamicFusion, x: Tensor, graph: MultimodalGraph
) -> list[dict[str, float]]:
    """Computes the size of each layer's message and state, and the range of its gates.

    Args:
        fusion: The fusion, in evaluation mode for statistics without dropout.
        x: `[U, M, in_channels]`.
        graph: The graph of a batch of conversations.

    Returns:
        A row for each layer: `message` and `state`, the root mean squares of :math:`p_k = P g_k`
        and of :math:`z_k`; of a gated fusion also `input low`, `input high`, and the same of
        `forget` and `output`: the 1 % and 99 % quantiles of that gate's activations over nodes and
        channels, in (0, 1). Absent nodes do not count; all are NaN where none is present.

    Example:
        >>> import torch
        >>> from graphfusion import ConversationGraph
        >>> x = torch.randn(4, 2, 8)
        >>> graph = ConversationGraph()(x, torch.tensor([0, 4]))
        >>> rows = layer_statistics(DynamicFusion(8, 4, num_layers=3), x, graph)
        >>> len(rows), sorted(rows[0])[:3]
        (3, ['forget high', 'forget low', 'input high'])
    """
    rows: list[dict[str, float]] = []

    def present(value: Tensor) -> Tensor:
        return value if graph.present is None else value[graph.present]

    def layer(
        q: Tensor, g: Tensor, c: Tensor, h0: Tensor, weights: Sequence[Tensor],
        cell: tuple[Tensor, ...], propagate: Callable[[Tensor], Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        row: dict[str, float] = {}

        def measured(value: Tensor) -> Tensor:
            message = propagate(value)
            row["message"] = _size(present(message))
            return message

        if fusion.cell is not None:
            gates = present(fusion.cell.gates(q, g)).unbind(-2)
            for name, gate in zip(("input", "forget", "output"), gates, strict=True):
                low, high = _quantiles(gate)
                row |= {f"{name} low": low, f"{name} high": high}
        z, g, c = fusion._layer(q, g, c, h0, weights, cell, measured)
        rows.append(row | {"state": _size(present(z))})
        return z, g, c

    view = copy(fusion)
    vars(view)["_layer"] = layer
    with torch.no_grad():
        view.forward(x, graph)  # without the hooks that it shares
    return rows


def _quantiles(gate: Tensor) -> list[float]:
    if not gate.numel():
        return [float("nan")] * 2
    # Of PyTorch's own quantile, 2^24 values are the most.
    return [float(each) for each in np.quantile(gate.double().cpu().numpy(), _RANGE)]


def _size(x: Tensor) -> float:
    return float(x.double().square().mean().sqrt())
