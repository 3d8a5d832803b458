"""Tables of a page, so that its plots are drawn from the numbers that it shows."""

from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[1]


class Table(NamedTuple):
    """Cells as they stand on the page."""

    head: list[str]
    rows: list[list[str]]


def read(page: str) -> list[Table]:
    """All tables of a page, `reference/results.md` for example."""
    tables: list[Table] = []
    inside = False
    for line in (DOCS / page).read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not inside:
            tables.append(Table(cells, []))
        elif not set(line) <= set("|-: "):
            tables[-1].rows.append(cells)
        inside = True
    return tables


def column(table: Table, name: str) -> tuple[list[float], list[float]]:
    """The means and the deviations of a column of `mean ± deviation`."""
    place = table.head.index(name)
    return pairs(row[place] for row in table.rows)


def pairs(cells) -> tuple[list[float], list[float]]:
    """The means and the deviations of such cells; a lone number has the deviation 0."""
    parts = [cell.split(" ± ") for cell in cells]
    return [float(part[0]) for part in parts], [float((*part, "0")[1]) for part in parts]
