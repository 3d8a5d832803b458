"""A corpus of what a reader found in a file."""

from graphfusion._utils.warn import warn
from graphfusion.datasets.checks.consistency import errors
from graphfusion.datasets.checks.words import say_unused
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._contents import Contents
from graphfusion.datasets.readers._reading import FormatError


def make_corpus(contents: Contents) -> Corpus:
    """Makes a corpus of what a file has.

    Warns:
        UserWarning: If conversations are in no split.

    Raises:
        FormatError: With all that stands in the way.
    """
    if problems := errors(contents.classes, contents.splits):
        raise FormatError.of(problems)
    if contents.unused:
        warn(say_unused(contents.unused))
    splits = {split: [raw.checked() for raw in each] for split, each in contents.splits.items()}
    return Corpus(contents.classes, splits, contents.extractors)
