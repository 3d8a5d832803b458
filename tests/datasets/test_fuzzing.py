"""Thousands of broken files of every format: each ends in data or in our error."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from tests.datasets.mutations import FORMS, broken

# 600 in the profile "quick", 2,500 in "ci", 100,000 in "nightly"; the first of them are the same.
COUNT = {10: 600, 25: 2_500, 1_000: 100_000}.get(settings.default.max_examples, 600)
# The process that reads them measures its memory.
needs_resource = pytest.mark.skipif(
    find_spec("resource") is None, reason="needs the module resource, which Windows lacks"
)


@needs_resource
def test_no_file_does_anything_but_load_or_be_refused(tmp_path):
    """No crash, no hang, no code, no more memory than its size explains."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.datasets.fuzzing", "0", str(COUNT), str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    number = (tmp_path / "number").read_text()
    assert done.returncode == 0, f"file {number}, which is in {tmp_path}: {done.stderr}"
    ends = json.loads(done.stdout)
    assert sum(ends.values()) == COUNT
    # Else the files would be broken so badly, or so little, that they ask nothing of a reader.
    for form in FORMS:
        assert min(ends[f"{form} read"], ends[f"{form} refused"]) > COUNT / 200
        assert ends.get(f"{form} refused for a checksum", 0) < ends[f"{form} refused"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_files_are_the_same_every_time():
    for number, form in enumerate(FORMS):
        assert broken(form, number) == broken(form, number)
        assert broken(form, number) != broken(form, number + len(FORMS))


@pytest.mark.slow
@needs_resource
def test_harm_is_noticed():
    code = """
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.datasets import fuzzing

calls = count()
before = sum(number % len(fuzzing.FORMS) == 0 for number in range(-200, 0))  # to warm up
late = lambda harm: lambda path, **_: (
    next(calls) >= before and harm(path), fuzzing.load(path)
)[1]
harms = {
    "exec (": lambda path: exec("pass"),
    "open (": lambda path: open(path, "w").close(),
    "bytes for a file of ": lambda path: len(bytearray(b"x" * 2**28)),
    "out of range": lambda path: [][0],
}
for told, harm in harms.items():
    calls = count()
    fuzzing.load_npz = late(harm)
    with TemporaryDirectory() as folder:
        try:
            fuzzing.main(0, 1, Path(folder))
        except (AssertionError, IndexError) as error:
            assert told in str(error), (told, error)
        else:
            raise AssertionError(told)
"""
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
