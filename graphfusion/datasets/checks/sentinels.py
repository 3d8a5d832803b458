"""Checks features for values such as -999 that stand for missing ones."""

from collections.abc import Iterator

import torch
from torch import Tensor

from graphfusion._utils.counted import counted
from graphfusion.data.moments import Moments
from graphfusion.datasets.checks.problems import AnyConversation, Problem

_SHARE = 0.01  # of the utterances that must have the value
_REST = 20  # utterances that must have others, to judge their variance
_DISTANCE = 20  # standard deviations of the other values
_PRECISION = 1e-13  # of the sum of squares; binary columns have other values of no variance


class Sentinels:
    """Checks that no column repeats one value that is far from all of its others.

    Zeros are no sentinels, and neither is a value of a column that has two, as one-hot columns do.
    """

    def __init__(self) -> None:
        self._columns: dict[str, _Columns] = {}

    def add(self, split: str, conversation: AnyConversation) -> None:  # noqa: ARG002
        """Adds the features of one conversation."""
        for name, values in conversation.features.items():
            columns = self._columns.setdefault(name, _Columns(values.size(1)))
            if values.size(1) == columns.channels:  # otherwise `Consistency` reports it
                columns.add(values[conversation.present[name]])

    def problems(self) -> Iterator[Problem]:
        """Yields a problem for each modality that has such values."""
        for name, columns in self._columns.items():
            if found := columns.sentinels():
                first, value = next(iter(found.items()))
                message = (
                    f"{name} must be marked absent where missing, but repeats a value far from all "
                    f"others in {len(found)} of {counted(columns.channels, 'column')}, the first: "
                    f"{value:g} in column {first}."
                )
                yield Problem(None, f"features.{name}", message)


class _Columns:
    """Moments of the columns of a modality, and how often they have their extremes."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self._moments = Moments(channels)
        # Of the lowest value (True) and of the highest (False).
        self._counts = {each: torch.zeros(channels) for each in (True, False)}

    def add(self, x: Tensor) -> None:
        if len(x) == 0:
            return
        x = x.detach().cpu().double()
        before = {True: self._moments.low, False: self._moments.high}
        self._moments.add(x)
        for lowest, extreme in ((True, self._moments.low), (False, self._moments.high)):
            self._counts[lowest][extreme != before[lowest]] = 0
            reached = (x.amin(0) if lowest else x.amax(0)) == extreme
            # Few columns: most conversations do not reach the extremes of all before.
            self._counts[lowest][reached] += (x[:, reached] == extreme[reached]).sum(0)

    def sentinels(self) -> dict[int, float]:
        """Returns `{column: value}` of values that are repeated and far from all others."""
        total = self._moments.count
        found: dict[int, float] = {}
        for lowest, value in ((True, self._moments.low), (False, self._moments.high)):
            count = self._counts[lowest].double()
            rest = (total - count).clamp(min=1)
            shift = value - self._moments.mean
            squares = self._moments.squares - count * total / rest * shift.square()
            deviation = (squares.clamp(min=0) / rest).sqrt()
            far = total / rest * shift.abs() > _DISTANCE * deviation  # from the others' mean
            far &= (count > max(1, _SHARE * total)) & (rest >= _REST) & (value != 0)
            far &= squares > _PRECISION * self._moments.squares
            found |= {column: float(value[column]) for column in far.nonzero().flatten().tolist()}
        return dict(sorted(found.items()))
