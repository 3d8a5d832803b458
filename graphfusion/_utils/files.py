"""Safe opening of untrusted files, and atomic writing."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EFBIG, EINVAL, EISDIR, ENOENT
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, TypeAlias

# The bytes of a file, or a function that writes them to an open, seekable file.
Content: TypeAlias = bytes | Callable[[BinaryIO], object]

# An upper bound of file sizes: the largest published feature files have some 12 GB.
LARGEST = 2**35


def check_output(
    name: str, path: str | os.PathLike[str], suffixes: tuple[str, ...], *inputs: Path
) -> None:
    """Checks the file to write, before any work: it must not replace what is read, or a recording.

    Raises:
        FileNotFoundError: If its folder does not exist.
        ValueError: If it has another suffix, or is one of the inputs.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{name} must be in a folder, but there is no {path.parent}.")
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{name} must be a {' or '.join(suffixes)} file, but got {path}.")
    for each in inputs:
        if path.exists() and each.exists() and path.samefile(each):
            raise ValueError(f"{name} must be another file than {each}, which is read.")


@contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a regular file, or a link to one, for reading.

    Other kinds are refused: a device may never end, and opening a pipe waits for a writer.

    Raises:
        OSError: If it cannot be opened, or is a folder, a device, a pipe or a socket.
    """
    _check_regular(path, Path(path).stat().st_mode)  # first, because opening a pipe may block
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        _check_regular(path, os.fstat(file.fileno()).st_mode)  # it may have been replaced
        yield file


def read_regular(path: str | os.PathLike[str], largest: int = LARGEST) -> bytes:
    """Reads a whole regular file.

    Args:
        path: The file.
        largest: The maximum size in bytes.

    Raises:
        OSError: If it cannot be opened, is not a regular file, or is larger.
    """
    with open_regular(path) as file:
        return file.read(check_length(path, largest, file))  # no more, even if the file grows


def check_length(path: str | os.PathLike[str], largest: int, file: BinaryIO | None = None) -> int:
    """Returns the size of a file in bytes, after checking that it is at most `largest`.

    Args:
        path: The file.
        largest: The maximum size in bytes.
        file: The same, where it is open.

    Raises:
        OSError: If it is larger.
    """
    size = (Path(path).stat() if file is None else os.fstat(file.fileno())).st_size
    if size > largest:
        message = f"the file must have at most {largest} bytes, but has {size}"
        raise OSError(EFBIG, message, str(path))
    return size


def _check_regular(path: str | os.PathLike[str], mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(EINVAL, "must be a regular file, but is a device, pipe or socket", str(path))


def write_atomically(path: str | os.PathLike[str], content: Content) -> None:
    """Writes a file completely, or leaves it unchanged.

    Raises:
        OSError: If it cannot be written. The error names the file.
    """
    with staged(path, content) as temporary:
        temporary.replace(path)


@contextmanager
def staged(path: str | os.PathLike[str], content: Content) -> Iterator[Path]:
    """Writes a temporary file beside `path`, and yields its path once it is on the disk.

    The caller moves it to `path` with `Path.replace`. If it does not, the file is removed on exit.
    """
    path = Path(path)
    if not path.parent.is_dir():  # else the error would name the temporary file
        raise FileNotFoundError(ENOENT, "no such folder", str(path.parent))
    temporary = path.with_name(f".{path.name}.{token_hex(8)}.tmp")
    try:
        with _filename_in_errors(path), temporary.open("xb") as file:
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
def _filename_in_errors(path: Path) -> Iterator[None]:
    """Adds the file's name to an OSError without one, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _sync(folder: Path) -> None:
    """Flushes a folder's entries to the disk."""
    with suppress(OSError):  # not every system supports it
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
