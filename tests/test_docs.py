"""What the documentation shows is run, says what was measured, and leads somewhere.

How it is written is in `test_prose.py`.
"""

import json
import re
import runpy
import tomllib
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

import pytest

import graphfusion

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = [
    path
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if not {"_build", "generated"} & set(path.parts)
]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks/README.md", *DOCS]
# Where Sphinx runs it, or where it comes from a file that is run.
RUN = ("{code-cell} ipython3", "{testcode}", "{doctest}", "{literalinclude}")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fences(text: str) -> list[tuple[str, str]]:
    """What stands after the opening fence, and the block."""
    return re.findall(r"^```([^\n`]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


PROGRAMS = [block for kind, block in fences(README) if kind == "python"]


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_the_readme_runs(
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102
    printed = capsys.readouterr().out
    for shape in re.findall(r"# (torch\.Size\(.*\))", program):
        assert shape in printed


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_code_on_a_page_is_run(path: Path) -> None:
    for kind, block in fences(path.read_text(encoding="utf-8")):
        python = "python" in kind or "import graphfusion" in block or "from graphfusion" in block
        assert not python or kind.startswith(RUN), f"{kind}\n{block}"


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_between_files_lead_somewhere(path: Path) -> None:
    text = re.sub(
        r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_the_api_lists_every_public_module() -> None:
    """Their names come from `__all__` when the pages are made; `docs/conf.py` checks that, too."""
    listed = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8").split()
    modules = ["graphfusion"] + [
        each.name
        for each in walk_packages(graphfusion.__path__, "graphfusion.")
        if each.ispkg and hasattr(import_module(each.name), "__all__")
    ]
    for module in modules:
        assert module in listed


# The role {result} of the pages, without Sphinx.
RESULTS = runpy.run_path(str(ROOT / "docs/_ext/results_table.py"))
NUMBERS = RESULTS["read"](RESULTS["TABLE"].read_text(encoding="utf-8"))


def test_the_readme_has_the_results_of_the_table() -> None:
    models = {
        "majority class": "majority class",
        "logistic regression on single utterances": "logistic",
        "bidirectional GRU": "bigru",
        "MM-DFN, published settings": "mmdfn",
        "MM-DFN, our settings ([presets](docs/concepts/paper.md))": "ours",
    }
    columns = ("iemocap6, {}, strict f1", "meld, {}, strict f1")
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in section_of_results().splitlines()
        if line.startswith("| ")
    ]
    assert {row[0] for row in rows[1:]} == set(models)  # no row of numbers goes unread
    for name, *cells in rows[1:]:
        assert cells == [RESULTS["find"](each.format(models[name]), NUMBERS) for each in columns]
    legacy = [
        RESULTS["find"](f"iemocap6, {model}, legacy f1", NUMBERS).split()[0]
        for model in ("mmdfn", "ours")
    ]
    told = " ".join(section_of_results().split())
    assert "Its settings have {} here by that protocol, ours {}.".format(*legacy) in told


def test_the_readme_s_further_results_are_recorded() -> None:
    pages = ("docs/results_table.md", "docs/concepts/paper.md")
    pages += ("docs/development/decisions/graph_and_gate.md",)
    recorded = set(numbers(" ".join((ROOT / each).read_text(encoding="utf-8") for each in pages)))
    assert len(set(numbers(section_of_results()))) > 20
    assert set(numbers(section_of_results())) <= recorded


def section_of_results() -> str:
    return README[README.index("## Results") : README.index("## Limits")]


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+\.\d+", text)


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_results_on_a_page_are_in_the_table(path: Path) -> None:
    for each in re.findall(r"\{result\}`([^`]*)`", path.read_text(encoding="utf-8")):
        assert RESULTS["find"](each, NUMBERS)


def test_a_result_that_is_not_in_the_table_is_refused() -> None:
    assert RESULTS["find"]("iemocap6, ours against no_graph", NUMBERS).startswith("+1.0 (\u22120.5")
    with pytest.raises(KeyError, match=r"must be in results_table.md, but got 'meld, tuend, "):
        RESULTS["find"]("meld, tuend, strict f1", NUMBERS)
    with pytest.raises(KeyError, match="there is: iemocap6, meld, mosi"):
        RESULTS["find"]("iemocap, ours, strict f1", NUMBERS)


@pytest.mark.parametrize("page", ["first_model", "streaming"])
def test_tutorials_are_notebooks(page: str) -> None:
    convert = runpy.run_path(str(ROOT / "docs/_ext/notebooks.py"))["convert"]
    text = (ROOT / f"docs/tutorials/{page}.md").read_text(encoding="utf-8")
    cells = convert(text)["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    prose = "".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    assert code == [block.strip() for kind, block in fences(text) if kind.startswith("{code-cell}")]
    assert prose.startswith("# ")
    assert not re.search(r"\{\w+\}`|<a |kernelspec", prose)
    assert f'<a href="{page}.ipynb" download>' in text


OVERVIEW = runpy.run_path(str(ROOT / "docs/_ext/overview.py"))
BOXES = [each for name in ("BEFORE", "PARTS", "BESIDE") for each in OVERVIEW[name]]
BOXES.append(OVERVIEW["MODEL"])


def test_the_overview_is_as_it_is_drawn() -> None:
    """If not: `python docs/_ext/overview.py`."""
    assert OVERVIEW["FILE"].read_text(encoding="utf-8") == OVERVIEW["draw"]()


@pytest.mark.parametrize("box", BOXES, ids=lambda box: box.folder)
def test_the_overview_has_the_folders_of_the_package(box: tuple) -> None:
    folder, names, lines, *_ = box
    for each in [*names, *re.findall(r"^(\w+):(?= the| each)", "\n".join(lines), re.MULTILINE)]:
        exported = next(m for m in public_modules() if hasattr(m, each))
        assert getattr(exported, each).__module__.startswith(f"graphfusion.{folder}.")


def public_modules() -> list[ModuleType]:
    names = ("datasets", "export", "recordings", "training")
    return [graphfusion, *(import_module(f"graphfusion.{name}") for name in names)]


TABLES = runpy.run_path(str(ROOT / "docs/_ext/tables.py"))


def test_plots_have_the_numbers_of_the_page_s_tables() -> None:
    missing, *_ = TABLES["read"]("reference/missing_modalities_study.md")
    assert len(missing.rows) == 10
    means, deviations = TABLES["column"](missing, "zero-filled")
    assert (means[-1], deviations[-1]) == (21.5, 2.5)
    assert TABLES["pairs"](["8.9", "65.7 ± 1.3"]) == ([8.9, 65.7], [0.0, 1.3])


def test_the_plots_of_speed_are_of_the_named_measurements() -> None:
    rows = json.loads((ROOT / "benchmarks/results.json").read_text(encoding="utf-8"))["rows"]
    value = {row["what"]: row["value"] for row in rows}
    told = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    for what, shown in (
        ("MM-DFN training step, iemocap x32: against dense", "| {:.1f} x ("),
        ("bfloat16 autocast against float32", "{:.2f} x"),
        ("512 conversations, checkpointing", "{:.2f} GiB"),
        ("compiled fusion against eager", "{:.2f} x"),
        ("  20,000 utterances", "{:.2f} GiB"),
    ):
        assert shown.format(value[what]) in told


def test_the_citation_is_of_this_software() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\ntitle: {project['name']}\n" in citation
    assert f"\nlicense: {project['license']}\n" in citation
    assert f"\nversion: {project['version']}\n" in citation


def test_the_changelog_keeps_its_form() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *releases = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert first == "[Unreleased]"
    for release in releases:  # none is said to be out before its version is
        version, date = re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", release).groups()
        assert tuple(map(int, version.split("."))) <= tuple(map(int, project["version"].split(".")))
        assert date
    kinds = re.findall(r"^### (.*)$", text, re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert "\n  " not in text  # one line a change
    assert max(map(len, text.splitlines())) <= 120
