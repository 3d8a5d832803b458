"""Numbers of the saved table of results, on any page, by data set, model and column.

    {result}`iemocap6, ours, strict f1`       is  67.5 ± 1.7
    {result}`iemocap6, ours against static`   is  +1.6 (+0.1 to +3.4)

A name that is not in the table is a warning, which fails the build.
"""

from pathlib import Path

TABLE = Path(__file__).parents[1] / "results_table.md"

Numbers = dict[tuple[str, ...], str]


def read(text: str) -> Numbers:
    """All cells, by (data set, model, column) or (data set, "MODEL against MODEL")."""
    numbers: Numbers = {}
    data, head = "", []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("## "):
            data = line[3:].split(":")[0]
        elif not line.startswith("|"):
            head = []
        elif not head:
            head = cells
        elif set(line) <= set("|-: "):
            continue
        elif head[0].endswith(" against"):
            numbers[data, f"{head[0]} {cells[0]}"] = f"{cells[1]} ({cells[2]})".replace(
                "-", "\u2212"
            )
        else:
            numbers |= {
                (data, cells[0], name): cell for name, cell in zip(head[1:], cells[1:], strict=True)
            }
    return numbers


def find(name: str, numbers: Numbers) -> str:
    """The number of that name.

    Raises:
        KeyError: If there is none; with what there is.
    """
    key = tuple(part.strip() for part in name.split(","))
    if key not in numbers:
        near = sorted({each[-1] for each in numbers if each[0] == key[0]})
        there = ", ".join(near or sorted({each[0] for each in numbers}))
        raise KeyError(f"must be in {TABLE.name}, but got {name!r}; there is: {there}.")
    return numbers[key]


def setup(app):
    from docutils.nodes import Text

    numbers = read(TABLE.read_text(encoding="utf-8"))

    def role(kind, rawtext, text, lineno, inliner, options=None, content=()):
        inliner.document.settings.env.note_dependency(str(TABLE))
        try:
            return [Text(find(text, numbers))], []
        except KeyError as error:
            problem = inliner.reporter.error(f"result {error.args[0]}", line=lineno)
            return [inliner.problematic(rawtext, rawtext, problem)], [problem]

    app.add_role("result", role)
    return {"parallel_read_safe": True}
