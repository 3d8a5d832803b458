"""No file takes more memory than the readers promise, however it is made."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.growth import FIRST, can_measure
from tests.datasets.programs import part
from tests.datasets.samples import npz_bytes

PER_BYTE, SPARE = 1032, 2**25  # what the docstrings of the readers promise
NOTHING = 2**22  # more than the headers of any file here take; a pool of memory is 1 MiB
ROWS = 4096


def npz(rows=ROWS, **arrays):
    """A compressed file with one conversation of so many utterances."""
    names = np.zeros(rows, "S1")
    whole = {
        "dialogue": np.full(rows, b"a"),
        "speaker": names,
        "split": np.full(rows, b"train"),
        "label": np.zeros(rows, "i1"),
        "classes": np.array(["a"]),
        "audio": np.ones((rows, 1), "f2"),
    }
    whole |= arrays
    return npz_bytes({k: v for k, v in whole.items() if v is not None}, np.savez_compressed)


def zeros(size, dtype):
    return np.zeros((ROWS, size), dtype)


def refused_before():
    """Each would take 1.6 GB or so for every 778 KB of it, or more, and none of it is inflated."""
    return {
        "without speaker": npz(speaker=None, audio=zeros(8192, "f4")),
        "without classes": npz(classes=None, audio=zeros(8192, "f4")),
        "without a modality": npz(audio=None, utt=np.zeros(ROWS, "S9999")),
        "vectors": npz(audio=zeros(4096, "f4")),
        "doubles": npz(audio=zeros(2048, "f8")),
        "halves": npz(audio=zeros(8192, "f2")),
        "frames": npz(audio=np.zeros((ROWS, 1, 8192), "f2")),
        "classes": npz(classes=np.zeros(2**22, "S1")),
        "a class with a long name": npz(classes=np.zeros(1, f"S{2**25}")),
        "speakers with long names": npz(speaker=np.zeros(ROWS, "S8192")),
        "rows": npz(2**20),
        "several classes": npz(classes=np.arange(8192).astype("S4"), label=zeros(8192, "?")),
        "wide labels": npz(2**19, label=np.zeros(2**19, "f16")),
        "presence": npz(
            present=np.ones((ROWS, 401), "i8"), **{f"m{n}": zeros(9, "f2") for n in range(400)}
        ),
    }  # fmt: skip


def read():
    """Files that are read."""
    return {
        FIRST: npz(9),
        "strings that are not taken over": npz(utt=np.zeros(ROWS, "S8192")),
        "as many names as may be": npz(30_000),
        "as large vectors as may be": npz(audio=zeros(350, "f4")),
        "masks": npz(20_000, has_audio=np.ones(20_000, "i8"), present=np.ones((20_000, 1), "i8")),
    }


COUNT, MANY = 6000, 1500  # a conversation takes longer than an utterance
ONE, REFERENCE = b"K\x01", b"h\x63"  # two bytes each
REFERENCES = b"(" + REFERENCE * COUNT + b"t"


def table(items):
    return b"}(" + b"".join(items) + b"u"


def tuple_of(text, ids, first=b"", speakers=None, keys=None):
    """A pickle of nine elements with text alone; `first` is what the memo has."""
    keys = keys or [ONE]
    who, what = (table(key + value for key in keys) for value in (speakers or ids, text))
    labels = table(key + ids for key in keys)
    lists = b"](" + b"".join(keys) + b"e]"
    empty = b"}}"
    return b"\x80\x02" + first + b"(" + who + who + labels + what + empty + b"}" + lists + b"t."


def memo(value, place=99):
    return part(value) + b"q" + bytes([place]) + b"0"


def splits_of(ids, text, first=b""):
    """MMSA's dict with text alone."""
    scores = part(np.full(len(ids), 0.5, "f2"))
    names = b"](" + b"".join(b"\x8c" + bytes([len(name)]) + name for name in ids) + b"e"
    fields = {"id": names, "regression_labels": scores, "text": text}
    inner = table(part(key) + value for key, value in fields.items())
    return b"\x80\x02" + first + table([part("train") + inner]) + b"."


ZEROS = b"(" + b"K\x00" * COUNT + b"t"
CLIPS = [b"v$_$%d" % n for n in range(COUNT)]
VIDEOS = [b"%d$_$1" % n for n in range(MANY)]


def pickles():
    """Pickles in which little stands for much."""
    wide = memo(np.zeros((1, 20_000), "i1"))
    return {
        "frames again and again": tuple_of(REFERENCES, ZEROS, wide),
        "vectors again and again": tuple_of(REFERENCES, ZEROS, memo(np.zeros(200, "f4"))),
        "no vectors": tuple_of(b"(" + b"N" * (COUNT - 1) + part(np.zeros(64, "i1")) + b"t", ZEROS),
        "short conversations": tuple_of(
            REFERENCE, b"h\x62", memo(np.zeros((1, 1), "f4")) + memo([0], 98),
            keys=[b"M" + struct.pack("<H", n) for n in range(MANY)],
        ),
        "bytes as rows": tuple_of(
            REFERENCE,
            b"h\x62",
            memo(np.zeros((50_000, 1), "i1")) + memo(np.zeros(50_000, "i1"), 98),
        ),
        "sets": b"\x80\x02" + b"\x8f" * 50_000 + b"t.",
        "MMSA's frames again and again": splits_of(CLIPS, REFERENCES, wide),
        "MMSA's frames in many videos": splits_of(VIDEOS, b"(" + REFERENCE * MANY + b"t", wide),
        "MMSA's videos of a clip": splits_of(VIDEOS, part(np.zeros((MANY, 1), "i1"))),
        "MMSA without text": splits_of(
            CLIPS, b"](" + b"N" * (COUNT - 1) + part(np.zeros(64, "i1")) + b"e"
        ),
        "MMSA without text in many videos": splits_of(
            VIDEOS, b"](" + b"N" * (MANY - 1) + part(np.zeros(64, "i1")) + b"e"
        ),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not can_measure(), reason="needs the peak of a process, which Linux says")
def test_no_file_takes_more_than_the_documented_memory(tmp_path):
    refused, good = refused_before(), read()
    files = {**refused, **good, **pickles()}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "tests.datasets.growth", str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert set(measured) == set(files)
    for name, ends in measured.items():
        for grown, end in ends:
            assert grown <= PER_BYTE * len(files[name]) + SPARE, (name, grown, end)
            assert name not in refused or (end != "read" and grown < NOTHING), (name, end)
            assert name not in good or end == "read", (name, end)
    assert all(ends[0][1] == "read" for name, ends in measured.items() if "short" in name)
