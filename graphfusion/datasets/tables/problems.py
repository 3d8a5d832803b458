"""Collects the problems of a table by row and column."""

import math
from collections.abc import Callable, Sequence

from graphfusion._utils.counted import counted
from graphfusion._utils.warn import warn
from graphfusion.datasets.checks.problems import Problem
from graphfusion.datasets.readers._reading import FormatError

_SHOWN = 20


def to_float(value: float) -> float:
    """Converts a number to float; integers out of range become infinity, which is refused later."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


class TableProblems:
    """Collects the problems of a table; rows are counted from 0, whatever the frame's index."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.warnings: list[str] = []

    def add_column(self, column: str, message: str) -> None:
        """Adds a problem of a whole column."""
        self.found.append(Problem(None, column, f"column {column!r}: {message}"))

    def add_rows(
        self, column: str, rule: str, rows: Sequence[int], got: Callable[[int], object]
    ) -> None:
        """Adds one problem for all rows that violate a rule, with their number and the first."""
        if rows:
            first = int(rows[0])
            others = f", one of {len(rows)} such rows" if len(rows) > 1 else ""
            message = f"row {first}, column {column!r}: {rule}, but is {got(first)!r:.80}{others}."
            self.found.append(Problem(None, column, message))

    def raise_if_any(self) -> None:
        """Raises an error if there are problems; else issues the warnings.

        Raises:
            FormatError: It lists every problem.
        """
        if not self.found:
            for message in self.warnings:
                warn(message)
            return
        lines = [f"- {each}" for each in self.found[:_SHOWN]]
        if len(self.found) > _SHOWN:
            lines.append(f"- and {len(self.found) - _SHOWN} more")
        raise FormatError(
            f"the table has {counted(len(self.found), 'problem')}:\n" + "\n".join(lines), self.found
        )
