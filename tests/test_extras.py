"""A missing extra is named with the command that installs it, wherever it is needed first."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphfusion._utils.extras import MODULES, require

ROOT = Path(__file__).parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]
EXAMPLES = [
    path
    for path in sorted((ROOT / "examples").glob("*.py"))
    if re.search("its error if the extra|from mmdfn_iemocap", path.read_text(encoding="utf-8"))
]


MODULE_OF = {"opencv_python_headless": "cv2"}  # where a package's module has another name


def names(extra: str) -> set[str]:
    """The modules of a package's own name, with those of the extras that an extra takes up."""
    found = set()
    for line in EXTRAS[extra]:
        others = re.fullmatch(r"graphfusion\[(.*)\]", line)
        if others:
            found |= {name for other in others[1].split(",") for name in names(other)}
        else:
            package = re.split(r"[^\w-]", line)[0].replace("-", "_")
            found.add(MODULE_OF.get(package, package))
    return found


@pytest.mark.parametrize("extra", MODULES)
def test_the_modules_are_those_that_the_extra_brings(extra: str) -> None:
    assert set(MODULES[extra]) == names(extra)


@pytest.mark.parametrize(
    ("extra", "module"), [(extra, module) for extra in MODULES for module in MODULES[extra]]
)
def test_each_is_missed_with_the_command_that_brings_it(
    extra: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        require(extra, "go on")
    except ImportError as error:
        pytest.skip(str(error))
    monkeypatch.setitem(sys.modules, module, None)
    command = rf'extra {extra!r} brings it: pip install "graphfusion\[{extra}\]"$'
    with pytest.raises(
        ImportError, match=f"^{module} must be installed to go on; .*{command}"
    ) as got:
        require(extra, "go on")
    assert got.value.name == module


# What `import graphfusion` imports, and no more than this.
CORE = {"torch", "torch_geometric", "numpy", "einops", "graphfusion"}
ABOVE = {"command_line", "export", "recordings", "testing", "training"}
SOURCES = [
    path
    for path in sorted((ROOT / "graphfusion").rglob("*.py"))
    if path.relative_to(ROOT / "graphfusion").parts[0] not in {*ABOVE, "__main__.py"}
]


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that are imported with a module, whole names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imported(node)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_core_imports_no_extra(path: Path) -> None:
    names = list(imported(ast.parse(path.read_text(encoding="utf-8"))))
    assert {name.split(".")[0] for name in names} <= CORE | sys.stdlib_module_names
    assert not {name.split(".")[1] for name in names if name.startswith("graphfusion.")} & ABOVE


def test_what_is_imported_is_found() -> None:
    source = """
import a.b
def late(): import c
class Some:
    if True:
        from d import e as f
"""
    assert list(imported(ast.parse(source))) == ["a.b", "d.e"]


@pytest.mark.slow
def test_every_example_names_the_extra_that_it_lacks() -> None:
    program = f"""
import runpy, sys
sys.path.insert(0, {str(ROOT / "examples")!r})
missed = set({MODULES["train"]!r}) - {{"jinja2", "tqdm"}}  # which PyG brings
sys.modules.update(dict.fromkeys(missed))  # as if none were installed
for path in {list(map(str, EXAMPLES))!r}:
    try:
        runpy.run_path(path)
    except ImportError as error:
        assert str(error).endswith('pip install "graphfusion[train]"'), (path, error)
    else:
        raise AssertionError(path)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_there_are_examples_that_need_one() -> None:
    assert len(EXAMPLES) >= 4
