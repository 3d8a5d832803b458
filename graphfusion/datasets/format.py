"""The library's own format: one safetensors file holds a corpus, bit for bit.

Its tensors hold the utterances of all conversations, one after the other:

=================  ========  ===========  =========================================================
tensor             dtype     shape
=================  ========  ===========  =========================================================
`ptr`              int64     `[B + 1]`    where each of the B conversations starts, and U
`speaker`          int64     `[U]`        who said it, numbered within its conversation from 0 by
                                          first appearance
`y`                int64     `[U]`        its label, the number of one of the classes
`features.NAME`    floating  `[U, d_m]`   one tensor for each modality, finite where present
`present`          bool      `[U, M]`     which modalities it has; may be left out where all are
`score`            floating  `[U]`        a continuous label, if there is one
=================  ========  ===========  =========================================================

The file's metadata have one entry, `corpus`, an object in JSON with

- `format`: "graphfusion.corpus";
- `version`: 1; a reader refuses what it does not know;
- `classes`: the names of the classes, in the order in which the labels number them;
- `modalities`: the names of the modalities, in the corpus's order, which is that of the columns of
  `present`;
- `splits`: an object of lists, the ids of the conversations in "train" and whatever other splits
  there are; in this order, one list after the other, stand the conversations in the tensors.

Whoever writes such a file with other tools may check it with `python -m graphfusion.datasets
validate FILE`.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import chain, count
from os import PathLike
from typing import Any

import torch
from torch import Tensor

from graphfusion._utils.extras import import_safetensors
from graphfusion._utils.files import write_atomically
from graphfusion.datasets._layout import FORMAT, VERSION, check_header, check_tensors, read_header
from graphfusion.datasets._problems import Finish, T, Talk, errors
from graphfusion.datasets._reading import FormatError, reading
from graphfusion.datasets.corpus import Corpus, make_corpus


def save(corpus: Corpus, path: str | PathLike[str]) -> None:
    """Writes a corpus in the library's own format.

    What it holds comes back with :func:`load` as it is, to the bit: the classes, the splits, and of
    each conversation the id, features, speakers, labels, `present` and, if there are any, scores.
    Further attributes of the conversations are not kept. Equal corpora make equal files.

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
    if not isinstance(corpus, Corpus):
        raise TypeError(f"corpus must be a Corpus, but got {type(corpus).__name__}.")
    serialize = import_safetensors().save
    talks = list(chain.from_iterable(corpus.splits.values()))
    tensors = {
        "ptr": torch.tensor([0, *(len(talk.speaker) for talk in talks)]).cumsum(0),
        "speaker": _join("speaker", (talk.speaker for talk in talks)),
        "y": _join("y", (talk.y for talk in talks)),
    }
    for name in corpus.in_channels:
        field = f"features.{name}"
        tensors[field] = _join(field, (talk.features[name] for talk in talks))
    present = torch.stack(
        [torch.cat([talk.present[name] for talk in talks]) for name in corpus.in_channels], 1
    )
    if not present.all():
        tensors["present"] = present
    scores = [talk.score for talk in talks if "score" in talk]
    if scores:
        if len(scores) < len(talks):
            raise ValueError(
                f"all conversations or none must have a score, but {len(scores)} of {len(talks)} "
                "have one."
            )
        tensors["score"] = _join("score", scores)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "classes": corpus.classes,
        "modalities": list(corpus.in_channels),
        "splits": {split: [talk.id for talk in each] for split, each in corpus.splits.items()},
    }
    # Conversations can be changed after the corpus was made; what load refuses is not written.
    for problem in (*errors(corpus.classes, corpus.splits), *check_tensors(header, tensors)):
        raise ValueError(str(problem))
    # One entry: safetensors writes several in an order that changes from run to run.
    write_atomically(path, serialize(tensors, {"corpus": json.dumps(header)}))


def load_safetensors(path: str | PathLike[str]) -> Corpus:
    """Reads what :func:`save` wrote.

    Args:
        path: The file.

    Raises:
        ImportError: If safetensors is not installed.
        FormatError: If anything in the file is wrong. Nothing that it declares is allocated
            before it is known to be there.
        OSError: If it cannot be opened.
    """
    return read_safetensors(path, make_corpus)


def read_safetensors(path: str | PathLike[str], finish: Finish[T]) -> T:
    """Makes something of what the file has, once it is cut into conversations."""
    with reading(path) as data:
        tensors = import_safetensors().load(data)
        header = read_header(data)
        problems = list(check_header(header)) or list(check_tensors(header, tensors))
        if problems:
            raise FormatError.of(problems)
        return finish(tuple(header["classes"]), _conversations(header, tensors))


def _join(name: str, parts: Iterable[Tensor]) -> Tensor:
    whole = [part.detach().cpu() for part in parts]
    dtypes = {part.dtype for part in whole}
    if len(dtypes) > 1:
        raise ValueError(
            f"{name} must have one dtype in all conversations, but has {sorted(map(str, dtypes))}."
        )
    return torch.cat(whole)


def _conversations(
    header: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> dict[str, list[Talk]]:
    """Cuts the tensors, which are as they should be but for the values of the data."""
    modalities = header["modalities"]
    lengths = tensors["ptr"].diff().tolist()
    parts = {name: whole.split(lengths) for name, whole in tensors.items() if name != "ptr"}

    def talk(place: int, name: str) -> Talk:
        # Clones: who keeps one conversation, or pickles it, does not want the whole corpus. They
        # also make bools of bytes other than 0 and 1.
        part = {field: each[place].clone() for field, each in parts.items()}
        everywhere = torch.ones(lengths[place], len(modalities), dtype=torch.bool)
        columns = part.get("present", everywhere).unbind(1)
        return Talk(
            name,
            {modality: part[f"features.{modality}"] for modality in modalities},
            part["speaker"],
            part["y"],
            {m: column.clone() for m, column in zip(modalities, columns, strict=True)},
            part.get("score"),
        )

    places = count()
    return {
        split: [talk(next(places), name) for name in names]
        for split, names in header["splits"].items()
    }
