"""Finds values such as -999 that stand for missing ones."""

import torch
from torch import Tensor

from graphfusion.data.moments import Moments

_SHARE = 0.01  # of the utterances that must have the value
_REST = 20  # utterances that must have others, to judge their variance
_DISTANCE = 20  # standard deviations of the other values
_PRECISION = 1e-13  # of the sum of squares; binary columns have other values of no variance


class Sentinels:
    """Finds columns that repeat one value that is far from all of their others.

    Zeros are no sentinels, and neither is a value of a column that has two, as one-hot columns do.
    """

    def __init__(self, channels: int) -> None:
        self._low = torch.full((channels,), torch.inf, dtype=torch.float64)
        self._high = -self._low
        # How many rows have the lowest value, and the highest.
        self._lows, self._highs = torch.zeros(2, channels, dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        """Adds rows `[n, d]`."""
        if len(x):
            x = x.detach().cpu()
            low = x.amin(0).double().minimum(self._low)
            high = x.amax(0).double().maximum(self._high)
            _count(x, low, self._low, self._lows)
            _count(x, high, self._high, self._highs)
            self._low, self._high = low, high

    def found(self, moments: Moments) -> dict[int, float]:
        """Returns `{column: value}` of values that are repeated and far from all others.

        Args:
            moments: Those of all rows that were added.
        """
        total = moments.count
        found: dict[int, float] = {}
        for count, value in ((self._lows, self._low), (self._highs, self._high)):
            rest = (total - count).clamp(min=1)
            shift = value - moments.mean
            squares = moments.squares - count * total / rest * shift.square()
            deviation = (squares.clamp(min=0) / rest).sqrt()
            far = total / rest * shift.abs() > _DISTANCE * deviation  # from the others' mean
            far &= (count > max(1, _SHARE * total)) & (rest >= _REST) & (value != 0)
            far &= squares > _PRECISION * moments.squares
            found |= {column: float(value[column]) for column in far.nonzero().flatten().tolist()}
        return dict(sorted(found.items()))


def _count(x: Tensor, extreme: Tensor, before: Tensor, counts: Tensor) -> None:
    """Counts the rows that have the extreme, from 0 where it is a new one."""
    counts[extreme != before] = 0
    counts += (x == extreme).sum(0)
