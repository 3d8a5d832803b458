"""A file with random access that supports pickling, forking and threads."""

import io
import os
import threading
import weakref
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import torch
from torch import Tensor

from graphfusion._utils.files import open_regular
from graphfusion.datasets.checks.problems import Problem
from graphfusion.datasets.readers._reading import FormatError


class Identity(NamedTuple):
    """The identity of an opened file, to detect changes.

    Args:
        size: The size in bytes.
        modified: The time of the last modification in nanoseconds.
        inode: The inode number.
        header: The checksum of the header.
    """

    size: int
    modified: int
    inode: int
    header: str


class Source:
    """An open file that starts with an eight-byte header size, followed by the header.

    It pickles as its path and identity. A forked process reopens the file, since processes that
    share a descriptor would also share its position.

    Args:
        path: The path of the file.
        expected: The identity that the file must have; None: any.

    Raises:
        FormatError: If the file has another identity.
        OSError: If it cannot be opened, or is not a regular file.
    """

    def __init__(self, path: str | os.PathLike[str], expected: Identity | None = None) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100 - valid in other working directories
        self._handle = _Handle(self.path)
        stat = self._handle.stat()
        self.header = self._header(stat.st_size)
        self.identity = Identity(*_stat_key(stat), sha256(self.header).hexdigest())
        if expected is not None and self.identity != expected:
            raise self._changed()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.identity)

    def check(self) -> None:
        """Checks that the file has not changed since it was opened; reopens it after a fork.

        Raises:
            FormatError: If it has changed.
        """
        if self._handle.process != os.getpid():
            self._handle = type(self)(self.path, self.identity)._handle
        if _stat_key(self._handle.stat()) != self.identity[:3]:
            raise self._changed()

    def read(self, pieces: Sequence[tuple[int, int]]) -> Tensor:
        """Reads byte ranges and concatenates them; call :meth:`check` before.

        Args:
            pieces: The offset and the number of bytes of each range.

        Returns:
            `[n]` uint8, the bytes.

        Raises:
            FormatError: If the file ends too early.
        """
        found = torch.empty(sum(size for _, size in pieces), dtype=torch.uint8)
        if self._handle.read(pieces, memoryview(found.numpy().data)) < len(found):
            raise self._changed()
        return found

    def _header(self, size: int) -> bytes:
        start = bytearray(8)
        self._handle.read([(0, 8)], memoryview(start))
        header = bytearray(min(int.from_bytes(start, "little"), size))
        return bytes(header[: self._handle.read([(8, len(header))], memoryview(header))])

    def _changed(self) -> FormatError:
        message = "the file must stay as it was when it was opened, but has changed: load it again."
        return FormatError(f"{self.path}: {message}", [Problem(None, None, message)])


class _Handle:
    """A file descriptor that is closed with its last reference."""

    def __init__(self, path: str) -> None:
        self.process = os.getpid()
        with open_regular(path) as file:
            descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, descriptor)
        self._file = io.FileIO(descriptor, closefd=False)
        self._lock = threading.Lock()

    def stat(self) -> os.stat_result:
        return os.fstat(self._file.fileno())

    def read(self, pieces: Iterable[tuple[int, int]], into: memoryview) -> int:
        """Reads byte ranges `(offset, size)` into a buffer; returns the number of bytes read."""
        done = 0
        with self._lock:
            for offset, size in pieces:
                self._file.seek(offset)
                end = done + size
                # A single call may read less than requested: Linux reads at most 2 GiB.
                while done < end and (count := self._file.readinto(into[done:end])):
                    done += count
                if done < end:
                    break
        return done


def _stat_key(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ino
