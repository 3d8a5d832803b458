"""Collects all that is wrong with a table, by row and column."""

import math
from collections.abc import Callable, Sequence

from graphfusion.datasets.checks.problems import Problem
from graphfusion.datasets.readers._reading import FormatError

_SHOWN = 20


def to_float(value: float) -> float:
    """A number as a float; an integer beyond all of them is infinite, which is refused later."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


class TableProblems:
    """What is wrong with a table; rows are counted from 0, whatever their index says."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def table(self, column: str, message: str) -> None:
        """Something is wrong with a whole column."""
        self.found.append(Problem(None, column, f"column {column!r}: {message}"))

    def rows(
        self, column: str, rule: str, rows: Sequence[int], got: Callable[[int], object]
    ) -> None:
        """Some rows break a rule: the first is named, and how many there are."""
        if rows:
            first = int(rows[0])
            others = f", one of {len(rows)} such rows" if len(rows) > 1 else ""
            message = f"row {first}, column {column!r}: {rule}, but is {got(first)!r:.80}{others}."
            self.found.append(Problem(None, column, message))

    def refuse(self) -> None:
        """Ends here if anything is wrong.

        Raises:
            FormatError: With all of it.
        """
        if not self.found:
            return
        lines = [f"- {each}" for each in self.found[:_SHOWN]]
        if len(self.found) > _SHOWN:
            lines.append(f"- and {len(self.found) - _SHOWN} more")
        count = "a problem" if len(self.found) == 1 else f"{len(self.found)} problems"
        raise FormatError(f"the table has {count}:\n" + "\n".join(lines), self.found)
