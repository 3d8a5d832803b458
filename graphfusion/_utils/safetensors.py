"""Opening of safetensors files, with clear errors for damaged ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

from graphfusion._utils.extras import import_safetensors
from graphfusion._utils.files import open_regular


@contextmanager
def open_safetensors(path: str | PathLike[str]) -> Iterator[Any]:
    """Opens a file with `safetensors.safe_open`, which checks that it is complete.

    Raises:
        ImportError: If safetensors is not installed.
        OSError: If it cannot be opened, or is not a regular file.
        ValueError: If it is not a safetensors file, or incomplete.
    """
    import_safetensors()
    import safetensors

    with open_regular(path):  # only checks the kind of file
        pass
    try:
        file = safetensors.safe_open(path, framework="pt")
    except safetensors.SafetensorError as error:
        raise ValueError(f"the file must be whole, but is damaged: {error}.") from error
    with file:
        yield file
