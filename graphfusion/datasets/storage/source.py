"""A file that is read in places, by any process, until the last reader is gone."""

import io
import os
import threading
import weakref
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from graphfusion._utils.files import open_regular
from graphfusion.datasets.checks.problems import Problem
from graphfusion.datasets.readers._reading import FormatError


class Identity(NamedTuple):
    """The identity of an opened file.

    Args:
        size: In bytes.
        modified: When its content changed, in nanoseconds.
        inode: Its number in the file system.
        header: A checksum of how it begins.
    """

    size: int
    modified: int
    inode: int
    header: str


class Source:
    """A file that begins with the size of its header, eight bytes, and its header.

    It pickles as its path and what identifies the file. A process that was
    forked opens it again, since those that share a descriptor share its position, too.

    Args:
        path: The file.
        expected: What it must be; None: it is opened for the first time.

    Raises:
        FormatError: If it is another file now.
        OSError: If it cannot be opened, or is no regular file.
    """

    def __init__(self, path: str | os.PathLike[str], expected: Identity | None = None) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100 - the same for a process elsewhere
        self._handle = _Handle(self.path)
        stat = self._handle.stat()
        self.header = self._header(stat.st_size)
        self.identity = Identity(*_known(stat), sha256(self.header).hexdigest())
        if expected is not None and self.identity != expected:
            raise self._changed()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.identity)

    def check(self) -> None:
        """Checks that the file is as it was when it was opened.

        Raises:
            FormatError: If it is not.
        """
        if self._handle.process != os.getpid():
            self._handle = type(self)(self.path, self.identity)._handle
        if _known(self._handle.stat()) != self.identity[:3]:
            raise self._changed()

    def read(self, pieces: Sequence[tuple[int, int]]) -> bytearray:
        """Reads pieces of it, one after the other, after :meth:`check`.

        Args:
            pieces: Where each starts, and how many bytes it has.

        Raises:
            FormatError: If the file ends before.
        """
        found = bytearray(sum(size for _, size in pieces))
        if self._handle.read(pieces, found) < len(found):
            raise self._changed()
        return found

    def _header(self, size: int) -> bytes:
        start = bytearray(8)
        self._handle.read([(0, 8)], start)
        header = bytearray(min(int.from_bytes(start, "little"), size))
        return bytes(header[: self._handle.read([(8, len(header))], header)])

    def _changed(self) -> FormatError:
        message = "the file must stay as it was when it was opened, but has changed: load it again."
        return FormatError(f"{self.path}: {message}", [Problem(None, None, message)])


class _Handle:
    """An open file, closed with its last reference."""

    def __init__(self, path: str) -> None:
        self.process = os.getpid()
        with open_regular(path) as file:
            descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, descriptor)
        self._file = io.FileIO(descriptor, closefd=False)
        self._lock = threading.Lock()

    def stat(self) -> os.stat_result:
        return os.fstat(self._file.fileno())

    def read(self, pieces: Iterable[tuple[int, int]], into: bytearray) -> int:
        """Reads pieces, each from there on so many bytes, until the file ends; says how many."""
        done, view = 0, memoryview(into)
        with self._lock:
            for offset, size in pieces:
                self._file.seek(offset)
                end = done + size
                # A system may read less at a time than it is asked to: Linux no more than 2 GiB.
                while done < end and (count := self._file.readinto(view[done:end])):
                    done += count
                if done < end:
                    break
        return done


def _known(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ino
