"""What is said about versions, in the package, the workflows and the documentation, is tested."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


PROJECT = tomllib.loads(text("pyproject.toml"))["project"]
PAGE = text("docs/reference/versions.md")
SESSIONS = text("noxfile.py")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def test_the_classifiers_name_the_pythons_of_the_sessions() -> None:
    (line,) = re.findall(r"^PYTHONS = \[(.*)\]$", SESSIONS, re.MULTILINE)
    pythons = re.findall(r'"(3\.\d+)"', line)
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert named == pythons
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    for python in pythons:
        assert f"session: tests-{python}," in text(".github/workflows/tests.yml")


def test_the_page_has_the_lower_bounds() -> None:
    told = re.findall(r"^\| `([\w-]+)` \| ([\d.]+) \| (.*?) \|", PAGE, re.MULTILINE)
    extras = PROJECT["optional-dependencies"]
    asked = [(line, "always") for line in PROJECT["dependencies"]]
    for extra in ("data", "tables", "train", "hub", "testing", "onnx"):
        asked += [(line, f"`{extra}`") for line in extras[extra] if "graphfusion" not in line]
    needed = [(*re.sub(r"\[.*?\]", "", line).split(">="), extra) for line, extra in asked]
    of_others = ("`recordings`", "`opensmile`", "`text`", "`text`, `speech`", "`faces`")
    assert [row for row in told if row[2] not in of_others] == needed


def test_the_page_has_what_is_skipped_on_an_older_pytorch() -> None:
    skipped = {
        match
        for path in (ROOT / "tests").rglob("test_*.py")
        for match in re.findall(
            r'^.*needs_torch\("(.*?)", "(.*?)"\)', text(str(path)), re.MULTILINE
        )
    }
    rows = [line.strip("| ").split(" | ") for line in PAGE.split("\n## ")[2].splitlines()]
    told = {(row[1], row[0].split(":")[0].replace("`", "")) for row in rows if len(row) == 2}
    assert told - {("needs PyTorch", "feature")} == skipped


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_hash(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    for each in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_workflow_may_more_than_it_says(path: Path) -> None:
    assert "\npermissions: {}\n" in path.read_text(encoding="utf-8")


def test_nothing_is_published_by_itself() -> None:
    release = text(".github/workflows/release.yml")
    assert re.search(r"^on:\n  workflow_dispatch:\n\n", release, re.MULTILINE)
    jobs = re.split(r"^  (?=[\w-]+:\n    )", release.split("\njobs:\n")[1], flags=re.MULTILINE)
    publishing = [job for job in jobs if "pypi-publish" in job or "id-token" in job]
    assert len(publishing) == 2
    assert all("\n    environment: " in job for job in publishing)
