"""The interface of graphs to fusion layers."""

from typing import Protocol, Self

from torch import Tensor


class Propagator(Protocol):
    """A graph over nodes `[..., C]`: a batch's, an edge list's, or a stream's newest rows."""

    def screen(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Checks the shape of `x` and zeroes what must not be propagated.

        Returns:
            x, and what :meth:`restore` needs to know of it.
        """

    def screened(self) -> Self:
        """The same graph for nodes that are all finite, so that no layer masks them again."""

    def propagate(self, x: Tensor) -> Tensor:
        """Returns `P x`."""

    def restore(self, out: Tensor, valid: Tensor | None) -> Tensor:
        """Zeros at absent nodes of the output, and NaN where the input had NaN."""
