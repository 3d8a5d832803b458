"""Running mean, standard deviation and extremes, in one pass and constant memory."""

import torch
from torch import Tensor


class Moments:
    """Running mean and squared deviations of batches of rows (Chan et al., 1983).

    Attributes:
        count: How many rows there were.
        mean: `[d]` float64.
        squares: `[d]` float64, the sum of the squared deviations from it.
        low: `[d]` float64, the smallest values.
        high: `[d]` float64, the largest.
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.mean = torch.zeros(channels, dtype=torch.float64, device="cpu")
        self.squares = torch.zeros_like(self.mean)
        self.low = torch.full_like(self.mean, torch.inf)
        self.high = torch.full_like(self.mean, -torch.inf)

    def add(self, x: Tensor) -> None:
        """Adds rows `[n, d]`."""
        if len(x):
            x = x.detach().cpu().double()
            mean = x.mean(0)
            squares = (x - mean).square().sum(0)
            self._join(len(x), mean, squares, x.amin(0), x.amax(0))

    def join(self, other: "Moments") -> None:
        """Adds the rows of another one."""
        if other.count:
            self._join(other.count, other.mean, other.squares, other.low, other.high)

    def _join(self, count: int, mean: Tensor, squares: Tensor, low: Tensor, high: Tensor) -> None:
        self.low, self.high = self.low.minimum(low), self.high.maximum(high)
        total = self.count + count
        shift = mean - self.mean
        self.squares += squares + shift.square() * (self.count * count / total)
        self.mean += shift * (count / total)
        self.count = total

    @property
    def largest(self) -> Tensor:
        """The largest absolute values `[d]`; 0 where there are no rows."""
        largest = self.high.abs().maximum(self.low.abs())
        return largest if self.count else torch.zeros_like(largest)

    @property
    def deviation(self) -> Tensor:
        """The standard deviation `[d]`; 0 where there are no rows."""
        return (self.squares / max(self.count, 1)).sqrt()
