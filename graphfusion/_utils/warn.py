"""Warnings that point to the user's code rather than to the library's."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def warn(message: str) -> None:
    """Issues a warning that points to the line outside the library that called it.

    `warnings.warn(skip_file_prefixes=...)` does the same from Python 3.12 on.
    """
    level = 2  # of the caller of this function
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Shows warnings as a command does: each message alone, without a line of code."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        sys.stderr.write(f"warning: {message}\n")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "graphfusion"
