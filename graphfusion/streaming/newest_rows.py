"""The rows of P of the newest utterances of growing conversations."""

from typing import Self

import torch
from torch import Tensor

from graphfusion._utils.checks import check_tensor


class NewestRows:
    """The newest utterances' rows of P, as the graph on which the fusion runs.

    Each layer propagates once, in order, so that its input can be cached.

    Attributes:
        intra: `[n, M, K]`, their entries in the columns of the past.
        inter: `[n, M, M]`, their entries in the columns of the same utterance.
        present: `[n, M]` bool.
        unit: `[n, M, C]`, the nodes' directions.
        scale: `[n, M]`, the inverse roots of their degrees; 0 where there is no node.
        inputs: `[n, M, H]` of each layer so far: what was propagated.
    """

    def __init__(
        self,
        intra: Tensor,
        inter: Tensor,
        present: Tensor,
        nodes: Tensor,
        unit: Tensor,
        scale: Tensor,
    ) -> None:
        self.intra = intra
        self.inter = inter
        self.present = present
        self.unit = unit
        self.scale = scale
        self.inputs: list[Tensor] = []
        self._nodes = nodes

    def screen(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Zeroes absent nodes; all others are finite, as `Stream.step` checks."""
        check_tensor("x", x, [*self.inter.shape[:2], "C"])
        return x.where(self.present.unsqueeze(2), 0), None

    def screened(self) -> Self:
        """Returns these rows."""
        return self

    def propagate(self, x: Tensor) -> Tensor:
        """Returns the newest rows of `P x`, with x of past nodes from the cache of this layer."""
        past = self._nodes[len(self.inputs)]
        self.inputs.append(x)
        received = (self.intra.unsqueeze(2).to(x.dtype) @ past.to(x.dtype)).squeeze(2)
        return torch.baddbmm(received, self.inter.to(x.dtype), x)

    def restore(self, out: Tensor, valid: Tensor | None) -> Tensor:
        """Sets absent nodes of the output to zero."""
        del valid
        return out.where(self.present.unsqueeze(2), 0)
