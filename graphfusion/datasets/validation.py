"""Says everything that is wrong with a file of conversations."""

from os import PathLike
from typing import Unpack

from graphfusion.datasets._contents import Contents
from graphfusion.datasets._doubts import doubts
from graphfusion.datasets._load import read
from graphfusion.datasets._options import Asked
from graphfusion.datasets._problems import Problem, errors
from graphfusion.datasets._reading import FormatError
from graphfusion.datasets.corpus import say_unused


def validate(path: str | PathLike[str], **options: Unpack[Asked]) -> list[Problem]:
    """Lists everything that is wrong with a file of conversations.

    That is more than what :func:`load` refuses: it also asks that every class has an example in
    "train", every split a conversation and every conversation a split; that speakers are numbered
    by first appearance; that no two conversations have the same features; that no utterance has a
    vector of nothing but zeros, which is how extractors say that they failed; and that every column
    that varies at all varies in training. The values of all conversations are checked to the end,
    and so are all checksums. What keeps a file from being cut into conversations is listed alone,
    since nothing is known about those until it is mended; in a pickle, that is the first
    conversation that cannot be read.

    Args:
        path: A file that :func:`load` reads, or should.
        **options: As of :func:`load`.

    Returns:
        The problems; none if all is well.

    Raises:
        ImportError: If the file needs safetensors and that is not installed.
        OSError: If it cannot be opened.
    """
    try:
        return read(path, _all, options)
    except FormatError as error:
        return list(error.problems)


def _all(contents: Contents) -> list[Problem]:
    unused = contents.unused
    problems = [Problem(None, "splits", say_unused(unused))] if unused else []
    found = [
        *errors(contents.classes, contents.splits),
        *doubts(contents.classes, contents.splits),
    ]
    return problems + found
