"""Warnings that name the line of the caller's own code."""

import sys
import warnings


def warn(message: str) -> None:
    """Warns of the line that called the library, however many calls lie between.

    `warnings.warn(skip_file_prefixes=...)` does the same from Python 3.12 on.
    """
    level = 2  # that of who called this function
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "graphfusion"
