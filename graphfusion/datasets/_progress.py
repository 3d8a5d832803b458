"""How far a long work on conversations is, for the command line."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

# Passes on what it is given, of which there are so many, and shows how far it is.
Progress: TypeAlias = Callable[[Iterable[Any], int], Iterable[Any]]


def silent(items: Iterable[Any], total: int) -> Iterable[Any]:  # noqa: ARG001
    """Shows nothing."""
    return items


def bar(items: Iterable[Any], total: int) -> Iterable[Any]:
    """Shows a bar on standard error, if that is a terminal."""
    from tqdm import tqdm

    shown: Iterable[Any] = tqdm(
        items, total=total, unit=" conversations", disable=not sys.stderr.isatty(), leave=False
    )
    return shown
