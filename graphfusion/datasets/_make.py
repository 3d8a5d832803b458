"""Creates a corpus from the contents that a reader returned."""

from graphfusion._utils.warn import warn
from graphfusion.datasets.checks.consistency import corpus_problems
from graphfusion.datasets.checks.summary import unused_message
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._contents import Contents
from graphfusion.datasets.readers._reading import FormatError


def make_corpus(contents: Contents) -> Corpus:
    """Creates a corpus from the contents of a file.

    Warns:
        UserWarning: If conversations are in no split.

    Raises:
        FormatError: If the contents are invalid; it lists every problem.
    """
    if problems := corpus_problems(contents.classes, contents.splits):
        raise FormatError.of(problems)
    if contents.unused:
        warn(unused_message(contents.unused))
    splits = {split: [raw.checked() for raw in each] for split, each in contents.splits.items()}
    return Corpus(contents.classes, splits, contents.extractors)
