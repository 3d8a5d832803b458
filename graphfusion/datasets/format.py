"""The library's own format: a corpus as one safetensors file, preserved bit for bit.

Its tensors concatenate the utterances of all conversations:

=================  ========  ===========  =========================================================
tensor             dtype     shape
=================  ========  ===========  =========================================================
`ptr`              int64     `[B + 1]`    the offsets of the B conversations, and U
`speaker`          int64     `[U]`        the speaker, numbered within the conversation from 0 by
                                          first appearance
`y`                int64 or  `[U]` or     the label: a class number, -100 where missing; or,
                   floating  `[U, K]`     floating, 1 for each of the K classes that applies and 0
                                          for the others; or, without classes, a score; NaN where
                                          missing
`features.NAME`    floating  `[U, d_m]`   one tensor for each modality, finite where present
`present`          bool      `[U, M]`     presence masks; may be left out if all are True
`score`            floating  `[U]`        optional: a score in addition to the class, NaN where
                                          missing
=================  ========  ===========  =========================================================

The file's metadata have one entry, `corpus`, a JSON object with

- `format`: "graphfusion.corpus";
- `version`: 1; readers refuse unknown versions;
- `classes`: a list of class names, in the order of their numbers; empty for scores;
- `modalities`: a list of modality names, in the order of the columns of `present`;
- `splits`: an object that maps "train" and any other splits to lists of conversation ids; the
  tensors have the conversations in this order;
- `extractors`, optional: an object that maps modalities to fingerprints of their extractors;
- `checksums`, optional for other tools: `algorithm`, "sha256"; `index`, the checksum of the header,
  of `ptr` and of the labels; and `conversations`, a list with the checksum of each one's data. Each
  checksum is cut to 8 bytes. Data that no longer match are refused.

Files written by other tools can be checked with `python -m graphfusion.datasets validate FILE`.
"""

from os import PathLike

from graphfusion._utils.extras import import_safetensors
from graphfusion._utils.files import write_atomically
from graphfusion.datasets._progress import Progress, silent
from graphfusion.datasets.checks.consistency import inconsistencies
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._reading import FormatError, error_context
from graphfusion.datasets.storage.file_split import open_splits
from graphfusion.datasets.storage.layout import FORMAT, VERSION
from graphfusion.datasets.storage.source import Source
from graphfusion.datasets.storage.store import Store
from graphfusion.datasets.storage.writer import Writer


def save(corpus: Corpus, path: str | PathLike[str]) -> None:
    """Writes a corpus in the library's own format.

    :func:`load` restores it bit for bit: the classes, splits and extractors, and each
    conversation's id, features, speakers, labels, `present` and, if there are any, scores. Other
    attributes of the conversations are not saved. Equal corpora make equal files.

    Splits may be any sequences. Conversations are read and written one at a time, so a corpus need
    not fit in memory. Custom lazy sequences are iterated twice: once for ids and labels, and once
    to write.

    Args:
        corpus: The corpus to save.
        path: The path of the file; an existing file is replaced once the new one is complete.

    Raises:
        ImportError: If safetensors is not installed.
        TypeError: If `corpus` is not a corpus.
        ValueError: If a modality has several dtypes, only some conversations have scores, or
            :func:`load` would refuse a conversation.
        OSError: If the file cannot be written; an existing file is then left unchanged.
    """
    write(corpus, path, silent)


def write(corpus: Corpus, path: str | PathLike[str], progress: Progress) -> None:
    """Writes a corpus as :func:`save` does, and reports progress."""
    if not isinstance(corpus, Corpus):
        raise TypeError(f"corpus must be a Corpus, but got {type(corpus).__name__}.")
    import_safetensors()  # not needed to write, but to read the file again
    header = {
        "format": FORMAT,
        "version": VERSION,
        "classes": corpus.classes,
        "modalities": list(corpus.in_channels),
    }
    if corpus.extractors:
        header["extractors"] = corpus.extractors
    writer = Writer(corpus.classes, corpus.splits, header)
    write_atomically(path, lambda file: writer.write(file, progress))


def load_safetensors(path: str | PathLike[str]) -> Corpus:
    """Opens a file written by :func:`save`, and reads conversations on access.

    Opening reads the index and the labels only. A conversation's values and checksum are verified
    when it is first read. The corpus pickles as the file's path; worker processes reopen the file.

    The file must not change while the corpus is used; otherwise the next access raises an error.
    `[*corpus.splits["train"]]` reads a whole split into memory.

    Args:
        path: The path of the file.

    Raises:
        ImportError: If safetensors is not installed.
        FormatError: If the file is invalid, or has changed since it was written. An invalid
            conversation raises the error when it is read. Declared sizes are checked before
            anything is allocated.
        OSError: If the file cannot be opened.
    """
    store = Store(Source(path))
    with error_context(store.path):
        classes, splits = tuple(store.header["classes"]), open_splits(store)
        if problems := list(inconsistencies(classes, splits)):
            raise FormatError.of(problems)
        return Corpus(classes, splits, store.header.get("extractors", {}))
