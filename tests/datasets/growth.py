"""Reads files and measures the memory that each takes, in a process of its own.

    python -m tests.datasets.growth FOLDER

It reads every file of the folder, without options and with all, and ends with the bytes that each
took at most and the word "read" or the error, as JSON. One of them is to be small and called FIRST.
"""

import json
import multiprocessing
import sys
import warnings
from contextlib import suppress
from pathlib import Path

from graphfusion.datasets import FormatError, load

FIRST = "a small file"
OPTIONS = ({}, {"missing": "nan", "frames": "mean"})
_FORGET = Path("/proc/self/clear_refs")  # a 5 written there begins the peak anew


def can_measure() -> bool:
    """Whether the system says the peak of a process, and can begin it anew."""
    return _FORGET.exists()


def peak() -> int:
    """The most bytes of memory that the process had at once: Python's, numpy's and torch's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (each for each in lines if each.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def growth(path: Path) -> list[tuple[int, str]]:
    """The bytes that reading a file takes, and how that ends, with each of the options."""
    with suppress(FormatError):
        load(path.with_name(FIRST))  # the code itself is to be in memory before
    ends = []
    for options in OPTIONS:
        _FORGET.write_text("5")
        before = peak()
        try:
            load(path, **options)
            end = "read"
        except FormatError as error:
            end = str(error)[:300]
        ends.append((peak() - before, end))
    return ends


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    paths = sorted(folder.iterdir())
    growth(folder / FIRST)  # what is imported when it is first needed is no file's doing
    # Each in a copy of this process: what one file frees, the next would take without growing.
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        ends = pool.map(growth, paths, chunksize=1)
    names = [path.name for path in paths]
    sys.stdout.write(json.dumps(dict(zip(names, ends, strict=True))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
