"""Says everything that is wrong with a file of conversations."""

from collections.abc import Sequence
from os import PathLike

from graphfusion.datasets._load import detect
from graphfusion.datasets._problems import Problem, Splits, doubts, errors
from graphfusion.datasets._reading import FormatError
from graphfusion.datasets.format import read_safetensors
from graphfusion.datasets.readers.npz import read_npz
from graphfusion.datasets.readers.pickles import load_pickle


def validate(path: str | PathLike[str]) -> list[Problem]:
    """Lists everything that is wrong with a file of conversations.

    That is more than what :func:`load` refuses: it also asks that every class has an example in
    "train", every split a conversation, and that speakers are numbered by first appearance. In a
    file of :func:`save` or an .npz, the values of all conversations are checked to the end. What
    keeps a file from being cut into conversations is listed alone, since nothing is known about
    those until it is mended; in a pickle, that is the first conversation that cannot be read.

    Args:
        path: A file that :func:`load` reads, or should.

    Returns:
        The problems; none if all is well.

    Raises:
        ImportError: If the file needs safetensors and that is not installed.
        OSError: If it cannot be opened.
    """
    try:
        form = detect(path)
        if form == "safetensors":
            return read_safetensors(path, _all)
        if form == "npz":
            return read_npz(path, _all)
        corpus = load_pickle(path)
    except FormatError as error:
        return list(error.problems)
    return _all(corpus.classes, corpus.splits)


def _all(classes: Sequence[str], splits: Splits) -> list[Problem]:
    return [*errors(classes, splits), *doubts(classes, splits)]
