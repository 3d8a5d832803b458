"""Reads broken files, and watches what that does; a process of its own, which may crash or hang.

    python -m tests.datasets.fuzzing 0 5000         the files of these numbers
    python -m tests.datasets.fuzzing 17 18 keep     that file alone, left in the folder keep

It ends with how many files of each format were read and refused, as JSON, or with a traceback.
"""

import codecs
import faulthandler
import json
import os
import resource
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from graphfusion import MMDFN
from graphfusion.datasets import Corpus, FormatError, load, load_npz, load_pickle, validate
from tests.datasets.mutations import FORMS, broken

PATIENCE = 120  # seconds for one file, which takes milliseconds: to hang is what is not allowed
# A deflated byte is at most 1032; as many again, and a page here and there, for what is made of it.
PER_BYTE, SPARE = 2 * 1032, 2**25

# What may be asked of files that are not the library's own.
OTHERS = ("npz", "pickle", "tuple", "mmsa")
OPTIONS = ({}, {"frames": "mean"}, {"missing": "nan", "frames": "mean"}, {"labels": "scores"})

# What no file may bring about. "exec" is every piece of code that runs, "pickle.find_class" every
# name that one of the standard library's unpicklers looks up.
FORBIDDEN = (
    "exec",
    "os.",
    "subprocess.",
    "shutil.",
    "socket.",
    "ctypes.",
    "pty.",
    "pickle.",
    "code.",
)
HARMLESS = ("os.scandir", "os.listdir")


class Watch:
    """Records audit events while it is switched on; an audit hook cannot be removed."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._on = False
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[object, ...]) -> None:
        if not self._on:
            return
        wrong = event.startswith(FORBIDDEN) and not event.startswith(HARMLESS)
        if event == "open" and isinstance(args[2], int):
            wrong = bool(args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if wrong:
            self.seen.append(f"{event} {args!r:.200}")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Fails afterwards, whatever became of the exception that the hook could have raised."""
        self._on = True
        try:
            yield
        finally:
            self._on = False
            assert not self.seen, f"a file made Python do {self.seen}"


def peak() -> int:
    """The most bytes of memory that the process has had at once: Python's, numpy's and torch's."""
    status = Path("/proc/self/status")
    if status.exists():  # there, `getrusage` begins with the peak of whoever started the process
        (line,) = (each for each in status.read_text().splitlines() if each.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def end(form: str, folder: Path, number: int) -> str:
    """How reading it ends: any other end than data or our error is passed on."""
    if form == "model":
        try:
            model = MMDFN.from_pretrained(folder)
        except ValueError as error:
            return _refused(str(folder) in str(error), error)  # it is ours, and names the file
        assert not any(each.is_meta for each in model.state_dict().values())
        return "read"
    read: Callable[..., Corpus] = {"npz": load_npz, "pickle": load_pickle}.get(form, load)
    path = folder / ("corpus.csv" if form == "csv" else "corpus")
    asked = OPTIONS[number // len(FORMS) % len(OPTIONS)] if form in OTHERS else {}
    try:
        corpus = read(path, **asked)
        whole = [each for part in corpus.splits.values() for each in part]  # a file is read here
    except FormatError as error:
        _refused(str(path) in str(error), error)
        # The validator has something to say, then.
        return _refused(bool(number % 3 or validate(path, **asked)), error)
    assert whole
    return "read"


def _refused(properly: bool, error: ValueError) -> str:
    assert properly
    early = "checksum is another" in str(error) or "are damaged" in str(error)
    return "refused for a checksum" if early else "refused"


def write(folder: Path, files: dict[str, bytes | None]) -> int:
    for name, data in files.items():
        (folder / name).unlink(missing_ok=True)
        if data is not None:
            (folder / name).write_bytes(data)
    return sum(len(data) for data in files.values() if data is not None)


def main(first: int, last: int, folder: Path) -> None:
    faulthandler.enable()
    warnings.simplefilter("ignore")  # Python's parser, say, on what stands in a header
    for kind in (
        "16",
        "16-be",
        "16-le",
        "32",
        "32-be",
        "32-le",
    ):  # json asks for them by a file's bytes
        codecs.lookup(f"utf-{kind}")
    watch = Watch()
    forms = list(FORMS)
    ends: Counter[str] = Counter()
    for warm_up in (
        True,
        False,
    ):  # what is imported when it is first needed is not the file's doing
        for number in range(-200, 0) if warm_up else range(first, last):
            form = forms[number % len(forms)]
            size = write(folder, broken(form, number))
            before = peak()
            (folder / "number").write_text(str(number))  # for whoever finds the process dead
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            if warm_up:
                end(form, folder, number)
                continue
            with watch.watching():
                found = end(form, folder, number)
            grown = peak() - before
            assert grown <= SPARE + PER_BYTE * size, f"{grown} bytes for a file of {size}"
            ends[f"{form} {found}"] += 1
    faulthandler.cancel_dump_traceback_later()
    sys.stdout.write(json.dumps(ends))


if __name__ == "__main__":
    if len(sys.argv) > 3:
        main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(int(sys.argv[1]), int(sys.argv[2]), Path(temporary))
