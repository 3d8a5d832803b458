"""Opening files of others, and writing our own whole."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EFBIG, EINVAL, EISDIR, ENOENT
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, TypeAlias

# A file's bytes, or what writes them, which may seek.
Content: TypeAlias = bytes | Callable[[BinaryIO], object]

# What no honest file of features reaches; the largest that go round take some 12 GB.
LARGEST = 2**35


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a file for reading, if it is a regular one (or a link to one).

    A device may never end, and opening a pipe waits for a writer.

    Raises:
        OSError: If it cannot be opened, or is a folder, a device, a pipe or a socket.
    """
    _check_regular(path, Path(path).stat().st_mode)  # before it is opened: that alone may block
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        _check_regular(path, os.fstat(file.fileno()).st_mode)  # it may be another one by now
        yield file


def read_regular(path: str | os.PathLike[str], largest: int = LARGEST) -> bytes:
    """Reads a regular file whole.

    Args:
        path: The file.
        largest: The most bytes that it may have.

    Raises:
        OSError: If it cannot be opened, is no regular file, or is larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            message = f"the file must have at most {largest} bytes, but has {size}"
            raise OSError(EFBIG, message, str(path))
        return file.read(size)  # and no more, should it grow


def _check_regular(path: str | os.PathLike[str], mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(EINVAL, "must be a regular file, but is a device, pipe or socket", str(path))


def write_atomically(path: str | os.PathLike[str], content: Content) -> None:
    """Writes a file completely, or leaves it unchanged.

    Raises:
        OSError: If it cannot be written; it names the file.
    """
    with staged(path, content) as temporary:
        temporary.replace(path)


@contextmanager
def staged(path: str | os.PathLike[str], content: Content) -> Iterator[Path]:
    """The path of a temporary file beside `path`, with this content, safely on the disk.

    To be moved to `path` with `Path.replace`; what has not been is removed in the end.
    """
    path = Path(path)
    if not path.parent.is_dir():  # else the error would name the temporary file
        raise FileNotFoundError(ENOENT, "no such folder", str(path.parent))
    temporary = path.with_name(f".{path.name}.{token_hex(8)}.tmp")
    try:
        with _naming(path), temporary.open("xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Names the file in the OSErrors that name none: of a full disk, say."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _sync(folder: Path) -> None:
    """Puts the names in a folder safely on the disk, too."""
    with suppress(OSError):  # not every system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
