"""Dynamic fusion: a deep graph convolution with a gated memory shared by its layers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from graphfusion._kernels.dropout import Dropout
from graphfusion._kernels.lstm import NodeLSTM
from graphfusion._utils.autocast import clamp_half
from graphfusion._utils.checks import check_bool, check_real, check_size
from graphfusion.fusion import published
from graphfusion.fusion.layer_weights import layer_weights
from graphfusion.graph.edge_list import as_graph
from graphfusion.graph.propagator import Propagator


class DynamicFusion(torch.nn.Module):
    r"""The gated graph convolution of MM-DFN (Hu et al., ICASSP 2022, dynamic fusion module).

    With the node vectors X (after dropout), :math:`H_0 = \mathrm{relu}(X W_{in} + b)`,
    :math:`z_0 = \mathrm{dropout}(H_0)` and an empty memory :math:`(g_0, c_0) = 0`, layer
    k = 1..L computes

    .. math::
        (g_k, c_k) &= \mathrm{LSTMCell}(z_{k-1}, (g_{k-1}, c_{k-1})) \\
        p_k &= P g_k \\
        z_k &= \mathrm{dropout}(\mathrm{relu}(\theta_k [p_k ; H_0] W_k
               + (1 - \theta_k)((1 - \alpha) p_k + \alpha H_0))) + z_{k-1}

    with :math:`\theta_k = \log(\theta / k + 1)`. The cell is one for all layers; the rest is the
    convolution of GCNII (Chen et al., ICML 2020). The output is :math:`[X ; z_L]`.

    Args:
        in_channels: Size of each node's vector.
        hidden_channels: Size H of the layers.
        num_layers: Number L of layers.
        alpha: Strength of the initial residual :math:`H_0` in each layer, in [0, 1].
        theta: Strength of the layers' weights against the identity mapping, at least 0.
        dropout: Probability of dropping a value.
        gated: Without the gate (:math:`p_k = P z_{k-1}`, and no :math:`+ z_{k-1}`) this is the
            static fusion of MMGCN (Hu et al., ACL 2021).
        concat: Whether the output is :math:`[X ; z_L]`, or :math:`z_L` alone.
        checkpoint: Whether training keeps only each layer's input and recomputes the rest in the
            backward pass, for less memory and about a third more time.

    Raises:
        TypeError: If an argument is not a number, or a switch not a bool.
        ValueError: If a size is not positive, or `alpha`, `theta` or `dropout` out of range.

    Shapes:
        - **input:** `x [U, M, in_channels]` and a :class:`MultimodalGraph`, or
          `x [N, in_channels]`, `edge_index [2, E]` and `edge_weight [E]`.
        - **output:** `[U, M, in_channels + hidden_channels]`, or `[N, ...]`; `hidden_channels`
          alone without `concat`.

    Example:
        >>> import torch
        >>> fusion = DynamicFusion(in_channels=16, hidden_channels=8, num_layers=4)
        >>> fusion(torch.randn(3, 16), torch.tensor([[0, 1, 2], [1, 2, 0]])).shape
        torch.Size([3, 24])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        num_layers: int,
        alpha: float = 0.2,
        theta: float = 0.5,
        dropout: float = 0.0,
        gated: bool = True,
        concat: bool = True,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        check_size("in_channels", in_channels)
        check_size("hidden_channels", hidden_channels)
        check_size("num_layers", num_layers)
        check_real("alpha", alpha, 0, 1)
        check_real("theta", theta, 0)
        check_real("dropout", dropout, 0, 1)
        check_bool("gated", gated)
        check_bool("concat", concat)
        check_bool("checkpoint", checkpoint)
        self.in_channels = in_channels
        self.hidden_channels = hidden_channels
        self.num_layers = num_layers
        self.alpha = float(alpha)
        self.theta = float(theta)
        self.gated = gated
        self.concat = concat
        self.checkpoint = checkpoint
        self.dropout = Dropout(dropout)
        self.lin = torch.nn.Linear(in_channels, hidden_channels)
        self.cell = NodeLSTM(hidden_channels, hidden_channels) if gated else None
        self.weight = torch.nn.Parameter(
            torch.empty(num_layers, 2 * hidden_channels, hidden_channels)
        )
        self.reset_parameters()

    @property
    def out_channels(self) -> int:
        """Size of each node's output."""
        return self.hidden_channels + (self.in_channels if self.concat else 0)

    @classmethod
    def from_published(cls, state_dict: Mapping[str, Tensor], **kwargs: Any) -> Self:
        """Converts the weights of a `graph_net` of the authors' code.

        Args:
            state_dict: The state dict of that module, or of any module that contains it.
            **kwargs: Arguments that the weights do not determine: `alpha`, `theta` (there `lamda`),
                `dropout`, `concat` (there `use_residue`), and `gated` (there `reason_flag`, off by
                default). A checkpoint has the gate's weights whether it was trained with the gate
                or not. If `gated` is not given, the gate is used if it has weights.

        Raises:
            ValueError: If a weight is missing.
            RuntimeError: If a weight is of another shape, or the gate has none.
        """
        return published.load(cls, state_dict, kwargs)

    def reset_parameters(self) -> None:
        """Reinitialises the weights, from the distributions of the authors' code."""
        self.lin.reset_parameters()
        if self.cell is not None:
            self.cell.reset_parameters()
        bound = self.hidden_channels**-0.5
        torch.nn.init.uniform_(self.weight, -bound, bound)

    def forward(
        self,
        x: Tensor,
        edge_index: Propagator | Tensor,
        edge_weight: Tensor | None = None,
        return_gates: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Computes the fused node vectors.

        Args:
            x: `[U, M, in_channels]` with the graph of a batch of conversations, or
                `[N, in_channels]` with the edges of any graph.
            edge_index: The graph, or `[2, E]` int64, `[source; target]`.
            edge_weight: `[E]`, used as it is, neither normalised nor with self-loops added; None:
                ones. A :class:`MultimodalGraph` has its own.
            return_gates: Whether to return the gates' activations, too.

        Returns:
            `[U, M, out_channels]` or `[N, out_channels]`; zeros for absent nodes, NaN throughout a
            conversation that has NaN or infinity. With `return_gates`, that and the gates,
            `[L, U, M, 3]` or `[L, N, 3]`: of each layer and node, the means over the channels of
            the input, the forget and the output gate, from 0 (closed) to 1 (open).

        Raises:
            TypeError: If an argument is not a tensor of the right dtype, or `edge_index` no graph.
            ValueError: If the shapes disagree, `x` is empty, (checked on the host only) an edge
                ends at no node, or `return_gates` is True without gates.
        """
        if return_gates and self.cell is None:
            raise ValueError("return_gates must be False where gated is, but got True.")
        graph = as_graph(x, edge_index, edge_weight, self.in_channels, self.weight)
        x, valid = graph.screen(x)
        propagate = graph.screened().propagate

        x = self.dropout(x)
        h0 = clamp_half(self.lin(x)).relu()
        z = self.dropout(h0)
        g = torch.zeros_like(h0)
        c = torch.zeros_like(h0, dtype=self.weight.dtype)  # autocast does not round the memory
        cells: Sequence[tuple[Tensor, ...]] = [()] * self.num_layers
        if self.cell is not None:
            cells = self.cell.weights(x, self.num_layers)
        layer = self._layer
        if self.checkpoint and torch.is_grad_enabled():
            layer = partial(checkpoint, layer, use_reentrant=False)
        gates = []
        maps = layer_weights(self.weight, self.alpha, self.theta)
        for *weights, cell in zip(*maps, cells, strict=True):
            if return_gates and self.cell is not None:
                gates.append(graph.restore(self.cell.gates(z, g).mean(-1), valid))
            z, g, c = layer(z, g, c, h0, weights, cell, propagate)
        out = graph.restore(torch.cat([x, z], -1) if self.concat else z, valid)
        return (out, torch.stack(gates)) if return_gates else out

    def _layer(
        self,
        q: Tensor,
        g: Tensor,
        c: Tensor,
        h0: Tensor,
        weights: Sequence[Tensor],
        cell: tuple[Tensor, ...],
        propagate: Callable[[Tensor], Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One layer: the next z and memory (g, c)."""
        if self.cell is not None:
            g, c = self.cell.step(q, g, c, cell)
        p = propagate(q if self.cell is None else g)
        p_weight, h0_weight = weights
        mixed = torch.addmm(h0.flatten(0, -2) @ h0_weight, p.flatten(0, -2), p_weight)
        z = self.dropout(mixed.relu_().view(q.shape))
        if self.cell is not None:
            z = clamp_half(z + q)  # a hundred layers of large features
        return z, g, c

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.in_channels}, {self.hidden_channels}, "
            f"num_layers={self.num_layers}, gated={self.gated})"
        )
