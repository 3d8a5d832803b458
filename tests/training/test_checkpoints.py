"""Checkpoints: whole or not there, refused once changed, and of one process at a time."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.training.checkpoints import AtomicCheckpoints, locked, read_checkpoint


def test_a_full_disk_leaves_the_last_checkpoint(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder.mkdir()
    path = folder / "last.ckpt"
    AtomicCheckpoints().save_checkpoint({"epoch": 1}, path)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        AtomicCheckpoints().save_checkpoint({"epoch": 2}, path)
    assert read_checkpoint(path) == {"epoch": 1}
    assert list(folder.iterdir()) == [path]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("checkpoint") / "last.ckpt"
    state = {"weight": torch.arange(200.0), "bias": torch.ones(3)}
    AtomicCheckpoints().save_checkpoint({"epoch": 1, "state_dict": state}, path)
    return path.read_bytes()


@given(data=st.data())
def test_a_changed_checkpoint_is_refused(
    data: st.DataObject, written: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = bytearray(written)
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(changed) - 40))
        changed[start : start + 40] = bytes(255 - each for each in changed[start : start + 40])
    else:
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.mktemp("changed") / "last.ckpt"
    path.write_bytes(changed)
    try:
        found = read_checkpoint(path)
    except ValueError as error:
        message = str(error)
    else:
        # What is left are bytes that mean nothing: padding, times, attributes.
        assert found["epoch"] == 1
        assert torch.equal(found["state_dict"]["weight"], torch.arange(200.0))
        assert torch.equal(found["state_dict"]["bias"], torch.ones(3))
        return
    assert str(path) in message


@pytest.mark.parametrize("size", [0, 10, 1000])
def test_a_truncated_checkpoint_is_named(folder: Path, written: bytes, size: int) -> None:
    folder.mkdir()
    path = folder / "last.ckpt"
    path.write_bytes(written[:size])
    message = r"last.ckpt must be as it was written, but is damaged .*: remove the folder's checkp"
    with pytest.raises(ValueError, match=message):
        read_checkpoint(path)


def test_a_missing_checkpoint_is_not_called_damaged(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_checkpoint(folder / "last.ckpt")


HOLDER = """
import sys
from pathlib import Path
from graphfusion.training.checkpoints import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_one_process_has_a_folder_until_it_dies(folder: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with (
            pytest.raises(ValueError, match="run must have one run at a time, but another process"),
            locked(folder),
        ):
            pass
        other.kill()
    with locked(folder):
        pass
    with locked(folder):  # and again, once it is released
        pass
