"""The library's own format: one safetensors file holds a corpus, bit for bit.

Its tensors hold the utterances of all conversations, one after the other:

=================  ========  ===========  =========================================================
tensor             dtype     shape
=================  ========  ===========  =========================================================
`ptr`              int64     `[B + 1]`    where each of the B conversations starts, and U
`speaker`          int64     `[U]`        who said it, numbered within its conversation from 0 by
                                          first appearance
`y`                int64 or  `[U]` or     its label: the number of one of the classes, -100 where
                   floating  `[U, K]`     missing; or, floating, 1 for each of the K classes that
                                          applies and 0 for the others; or, where there are no
                                          classes, a score; NaN where missing
`features.NAME`    floating  `[U, d_m]`   one tensor for each modality, finite where present
`present`          bool      `[U, M]`     which modalities it has; may be left out where all are
`score`            floating  `[U]`        a score besides the class, if there is one, NaN where
                                          missing
=================  ========  ===========  =========================================================

The file's metadata have one entry, `corpus`, an object in JSON with

- `format`: "graphfusion.corpus";
- `version`: 1; a reader refuses what it does not know;
- `classes`: the names of the classes, in the order in which the labels number them; none where the
  labels are scores;
- `modalities`: the names of the modalities, in the corpus's order, which is that of the columns of
  `present`;
- `splits`: an object of lists, the ids of the conversations in "train" and whatever other splits
  there are; in this order, one list after the other, stand the conversations in the tensors;
- `extractors`, which may be left out: an object, what made the features of a modality, for each of
  which it is known;
- `checksums`, which other tools may leave out: `algorithm`, "sha256"; `index`, of all that says
  what is where, and of the labels; and `conversations`, one of each one's data (of each checksum
  the first 8 bytes). What has changed since the file was written is refused.

Whoever writes such a file with other tools may check it with `python -m graphfusion.datasets
validate FILE`.
"""

from os import PathLike

from graphfusion._utils.extras import import_safetensors
from graphfusion._utils.files import write_atomically
from graphfusion.datasets._progress import Progress, silent
from graphfusion.datasets.checks.consistency import inconsistencies
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._reading import FormatError, naming
from graphfusion.datasets.storage.layout import FORMAT, VERSION
from graphfusion.datasets.storage.opened import open_splits
from graphfusion.datasets.storage.source import Source
from graphfusion.datasets.storage.store import Store
from graphfusion.datasets.storage.writer import Writer


def save(corpus: Corpus, path: str | PathLike[str]) -> None:
    """Writes a corpus in the library's own format.

    What it holds comes back with :func:`load` as it is, to the bit: the classes, the splits, the
    extractors, and of each conversation the id, features, speakers, labels, `present` and, if there
    are any, scores. Further attributes of the conversations are not kept. Equal corpora make equal
    files.

    Splits may be any sequences: a conversation is asked for, written, and let go, so a corpus need
    not fit in memory. Those of one's own, which make conversations when asked for, are gone through
    twice: for what there is, and to write it.

    Args:
        corpus: What to save.
        path: The file; if there is one, it is replaced when the new one is complete.

    Raises:
        ImportError: If safetensors is not installed.
        TypeError: If it is no corpus.
        ValueError: If a modality has another dtype in one conversation than in the rest, only some
            conversations have scores, or they hold what :func:`load` would refuse.
        OSError: If it cannot be written; what was there before is there still.
    """
    write(corpus, path, silent)


def write(corpus: Corpus, path: str | PathLike[str], progress: Progress) -> None:
    """The same, and shows how far it is."""
    if not isinstance(corpus, Corpus):
        raise TypeError(f"corpus must be a Corpus, but got {type(corpus).__name__}.")
    import_safetensors()  # who writes a file wants to read it
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
    """Opens what :func:`save` wrote.

    The corpus reads a conversation when it is asked for, and checks its values and its checksum
    when it does so for the first time; until then only the index and the labels are read. It
    pickles as the file's path, and worker processes open the file again.

    The file must stay as it is for as long as the corpus is used; if it has changed, the next
    conversation is refused. `[*corpus.splits["train"]]` reads all of a split into memory.

    Args:
        path: The file.

    Raises:
        ImportError: If safetensors is not installed.
        FormatError: If anything in the file is wrong, or has changed since it was written: what
            stands in a conversation, when that is asked for. Nothing that the file declares is
            allocated before it is known to be there.
        OSError: If it cannot be opened.
    """
    store = Store(Source(path))
    with naming(store.path):
        classes, splits = tuple(store.header["classes"]), open_splits(store)
        if problems := list(inconsistencies(classes, splits)):
            raise FormatError.of(problems)
        return Corpus(classes, splits, store.header.get("extractors", {}))
