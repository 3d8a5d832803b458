"""The problems of a table: the error that lists them, with a line for all rows that share one."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from graphfusion.recordings.grouped import grouped

_SHOWN = 10  # maximum number of runs of rows that a message names

#: A problem: its row, the rule, and what the row has, which may differ from row to row.
Problem: TypeAlias = tuple[int, str, str]


class TableError(ValueError):
    """Raised if a table is invalid; the message lists every problem.

    Args:
        problems: The problems, each with its row; row 1 is the first utterance.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "the table must be corrected:\n" + "\n".join(self.problems)


def group_problems(problems: Iterable[Problem]) -> list[str]:
    """Describes problems with one line for all rows that break the same rule."""
    lines = []
    for rule, members in grouped((rule, (row, got)) for row, rule, got in problems).items():
        first, got = members[0]
        where = "" if {got} == {other for _, other in members} else f" (row {first})"
        rows = sorted({row for row, _ in members})  # audio and video of a row may be one file
        lines.append(f"{name_rows(rows)}: {rule}{got}{where}.")
    return lines


def name_rows(rows: Sequence[int]) -> str:
    """Names sorted rows in a message, such as "row 3" or "rows 1, 3 and 17 to 24"."""
    runs: list[list[int]] = []
    for row in rows:
        if runs and row == runs[-1][-1] + 1:
            runs[-1].append(row)
        else:
            runs.append([row])
    names = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
    if more := sum(map(len, runs[_SHOWN:])):
        names[_SHOWN:] = [f"{more} more"]
    *before, last = names
    listed = f"{', '.join(before)} and {last}" if before else last
    return f"row {listed}" if len(rows) == 1 else f"rows {listed}"
