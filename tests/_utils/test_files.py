import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion._utils.files import staged, write_atomically


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
def test_what_fails_leaves_what_was_there(
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
    with pytest.raises((OSError, TypeError)):
        write_atomically(path, data)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_not_moved_is_removed(tmp_path: Path) -> None:
    with staged(tmp_path / "a.bin", b"new") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.read_bytes() == b"new"
    assert not list(tmp_path.iterdir())


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "nowhere" / "a.bin", b"")
