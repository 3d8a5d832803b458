"""Writing files whole: whoever reads one finds what was there before, or all that is new."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ENOENT
from pathlib import Path
from secrets import token_hex


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Gives a file this content, or, if that fails, leaves it as it was.

    Raises:
        OSError: If it cannot be written.
    """
    with staged(path, data) as temporary:
        temporary.replace(path)


@contextmanager
def staged(path: str | os.PathLike[str], data: bytes) -> Iterator[Path]:
    """The path of a temporary file beside `path`, with this content, safely on the disk.

    To be moved to `path` with `Path.replace`; what has not been is removed in the end.
    """
    path = Path(path)
    if not path.parent.is_dir():  # else the error would name the temporary file
        raise FileNotFoundError(ENOENT, "no such folder", str(path.parent))
    temporary = path.with_name(f".{path.name}.{token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Puts the names in a folder safely on the disk, too."""
    with suppress(OSError):  # not every system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
