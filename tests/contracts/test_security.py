"""No line of ours opens what may hold code, in the library, the examples or the benchmarks."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("graphfusion", "examples", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
# The standard library's readers of pickles, by the modules that have them, and what else runs code.
PICKLES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CODE = {"eval", "exec", "compile", "__import__", "breakpoint"}
MODULES = {"os.system", "os.popen", "runpy.run_path", "yaml.load", "yaml.unsafe_load"}
# Those that do as long as this argument does not say otherwise, and what it has to say.
SAFE_WITH = {
    "torch.load": ("weights_only", True),
    "load_from_checkpoint": ("weights_only", True),
    "trainer.fit": ("weights_only", True),
    "trainer.validate": ("weights_only", True),
    "trainer.test": ("weights_only", True),
    "trainer.predict": ("weights_only", True),
}
# Reads numbers alone, whatever the rest of its name.
HARMLESS = "safetensors."
UNSAFE_WITH = {"allow_pickle", "trust_remote_code", "shell"}
# The restricted reader, which takes the standard library's apart.
OURS = {"graphfusion/datasets/readers/_unpickler.py": frozenset({"pickle._Unpickler"})}


def faults(source: str, allowed: frozenset[str] = frozenset()) -> list[str]:
    tree = ast.parse(source)
    names = _imported(tree)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            found += _of_name(_full(node, names), allowed)
        if isinstance(node, ast.Call):
            found += _of_call(
                _full(node.func, names), {each.arg: each.value for each in node.keywords}
            )
    return found


def _imported(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                first = each.name.split(".")[0]
                names[each.asname or first] = each.name if each.asname else first
        elif isinstance(node, ast.ImportFrom):
            names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return names


def _of_name(name: str, allowed: frozenset[str]) -> Iterator[str]:
    module, _, attribute = name.rpartition(".")
    unpickles = module.split(".")[0] in PICKLES and re.search("load|open|npickler", attribute)
    if (unpickles or name in MODULES) and name not in allowed:
        yield name


def _of_call(name: str, keywords: dict[str | None, ast.expr]) -> Iterator[str]:
    if name in CODE:
        yield name
    for argument in UNSAFE_WITH & keywords.keys():
        if not _is(keywords[argument], False):
            yield argument
    for call, (argument, value) in SAFE_WITH.items():
        named = name == call or (name.endswith(f".{call}") and not name.startswith(HARMLESS))
        if named and not _is(keywords.get(argument), value):
            yield f"{name} without {argument}={value}"


def _full(node: ast.expr, names: dict[str, str]) -> str:
    """The dotted name that an expression spells, with its first part as it was imported."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_full(node.value, names)}.{node.attr}"
    return ""


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_call_may_run_code_of_a_file(path: Path) -> None:
    allowed = OURS.get(path.relative_to(ROOT).as_posix(), frozenset())
    assert faults(path.read_text(encoding="utf-8"), allowed) == []


def test_the_sources_are_here() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in SOURCES}
    assert names >= {*OURS, "graphfusion/models/saved.py", "examples/mmdfn_iemocap.py"}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle; pickle.load(f)",
        "import pickle as p; p.loads(b)",
        "from pickle import load as read; read(f)",
        "import pickle; read = pickle.Unpickler",
        "from pickle import _Unpickler as Reader; Reader(f)",
        "import joblib; joblib.load(f)",
        "import torch; torch.load(f)",
        "import torch; torch.load(f, weights_only=False)",
        "import torch; torch.load(f, weights_only=unsafe)",
        "from torch import load; load(f)",
        "import numpy as np; np.load(f, allow_pickle=True)",
        "np.load(f, allow_pickle=maybe)",
        "eval(text)",
        "exec(text)",
        "__import__(name)",
        "import os; os.system(text)",
        "subprocess.run(text, shell=True)",
        "Recognizer.load_from_checkpoint(path)",
        "trainer.fit(model, ckpt_path=path)",
        "self.trainer.test(model, ckpt_path=path, weights_only=None)",
    ],
)
def test_each_way_would_be_found(source: str) -> None:
    assert faults(source)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle; pickle.dumps(value); pickle.UnpicklingError",
        "import torch; torch.load(f, weights_only=True)",
        "import numpy as np; np.load(f); np.load(f, allow_pickle=False)",
        "import json; json.load(f)",
        "model.eval(); re.compile(text); load_pickle(path)",
        "model.load_state_dict(state)",
        "trainer.fit(model, weights_only=True)",
    ],
)
def test_harmless_calls_are_accepted(source: str) -> None:
    assert faults(source) == []


def test_the_release_fails_when_the_audit_skips_anything() -> None:
    steps = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    (audit,) = re.findall(r"pip-audit .*", steps)
    assert "--strict" in audit
    assert "|| true" not in audit
    for way_out in ("continue-on-error", "--ignore-vuln", "--skip-editable", "secrets."):
        assert way_out not in steps
