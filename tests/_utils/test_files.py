import errno
import os
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion._utils.files import read_regular, staged, write_atomically


@given(st.lists(st.binary(), min_size=1))
def test_the_last_content_is_there_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    for content in contents:
        write_atomically(folder / "a.bin", content)
        assert [path.name for path in folder.iterdir()] == ["a.bin"]
        assert (folder / "a.bin").read_bytes() == content
    (folder / "ordinary").write_bytes(b"")
    assert (folder / "a.bin").stat().st_mode == (folder / "ordinary").stat().st_mode


@pytest.mark.parametrize("name", ["write", "fsync", "replace"])
def test_a_failed_write_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "a.bin"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if name == "write":
        data: object = "not bytes"
    else:
        data = b"new"
        monkeypatch.setattr(os if name == "fsync" else Path, name, full)
    with pytest.raises((OSError, TypeError)) as caught:
        write_atomically(path, data)
    if name == "fsync":
        assert str(path) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_may_seek_and_fail(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"

    def write(file: BinaryIO) -> None:
        file.seek(2)
        file.write(b"cd")
        file.seek(0)
        file.write(b"ab")

    write_atomically(path, write)

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match=r"No space left on device: '.*a.bin'$"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"abcd"
    assert list(tmp_path.iterdir()) == [path]


def test_a_staged_file_that_is_not_moved_is_removed(tmp_path: Path) -> None:
    with staged(tmp_path / "a.bin", b"new") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.read_bytes() == b"new"
    assert not list(tmp_path.iterdir())


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "nowhere" / "a.bin", b"")


@given(st.binary())
def test_written_content_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("files")
    (folder / "a.bin").write_bytes(data)
    (folder / "link").symlink_to(folder / "a.bin")
    assert read_regular(folder / "a.bin", len(data)) == data
    assert read_regular(str(folder / "link")) == data
    if data:
        with pytest.raises(OSError, match=f"at most {len(data) - 1} bytes, but has {len(data)}"):
            read_regular(folder / "a.bin", len(data) - 1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_only_regular_files_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it was opened"))
    for name in ("pipe", "device"):
        with pytest.raises(OSError, match="must be a regular file") as caught:
            read_regular(tmp_path / name)
        assert caught.value.filename == str(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path)


def test_a_file_exchanged_while_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x")
    real = os.open
    monkeypatch.setattr(os, "open", lambda _, flags: real("/dev/zero", flags))
    with pytest.raises(OSError, match="must be a regular file"):
        read_regular(path)
