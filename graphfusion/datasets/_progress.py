"""Progress bars for long operations on conversations."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

# Wraps an iterable of known length, and may show the progress of iterating over it.
Progress: TypeAlias = Callable[[Iterable[Any], int], Iterable[Any]]


def silent(items: Iterable[Any], total: int) -> Iterable[Any]:  # noqa: ARG001
    """Returns the items without showing a progress bar."""
    return items


def bar(items: Iterable[Any], total: int) -> Iterable[Any]:
    """Wraps the items in a progress bar on standard error, if that is a terminal."""
    from tqdm import tqdm

    shown: Iterable[Any] = tqdm(
        items, total=total, unit=" conversations", disable=not sys.stderr.isatty(), leave=False
    )
    return shown
