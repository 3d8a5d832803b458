"""Tutorials as Jupyter notebooks, beside their pages in the built site.

`notebooks` in `conf.py` lists the pages. A page links to its own by
`<a href="first_model.ipynb" download>`. Prose and code are the page's; outputs are left out.
"""

import json
import re
from pathlib import Path

CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROLE = re.compile(r"\{([\w:-]+)\}`(?:([^`<]+) <)?([^`>]+)>?`")


def convert(page: str) -> dict:
    """The notebook of a page in MyST Markdown."""
    body = re.sub(r"\A---\n.*?^---\n", "", page, flags=re.MULTILINE | re.DOTALL)
    cells = []
    for number, part in enumerate(CELL.split(body)):
        text = part.strip() if number % 2 else _prose(part)
        if text:
            cells.append(_cell("code" if number % 2 else "markdown", len(cells), text))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


def _cell(kind: str, number: int, text: str) -> dict:
    cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _prose(text: str) -> str:
    """Without what only Sphinx understands."""
    text = re.sub(r"^.*<a href=[^>]*download>.*$\n?", "", text, flags=re.MULTILINE)
    return ROLE.sub(_name, text).strip()


def _name(role: re.Match) -> str:
    kind, title, target = role.groups()
    if title or kind == "doc":
        return title or f"*{target.split('/')[-1].replace('_', ' ')}*"
    return f"`{target.split('.')[-1] if target.startswith('~') else target}`"


def setup(app):
    import nbformat

    def write(app, error):
        if error or app.builder.name != "html":
            return
        for name in app.config.notebooks:
            page = Path(app.srcdir, f"{name}.md").read_text(encoding="utf-8")
            notebook = convert(page)
            nbformat.validate(notebook)
            text = json.dumps(notebook, indent=1, ensure_ascii=False)
            Path(app.outdir, f"{name}.ipynb").write_text(text + "\n", encoding="utf-8")

    app.add_config_value("notebooks", [], "html")
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}
