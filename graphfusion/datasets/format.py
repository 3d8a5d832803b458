"""The library's own format: one safetensors file holds a corpus, bit for bit.

Its tensors hold the utterances of all conversations, one after the other:

=================  ========  ===========  =========================================================
tensor             dtype     shape
=================  ========  ===========  =========================================================
`ptr`              int64     `[B + 1]`    where each of the B conversations starts, and U
`speaker`          int64     `[U]`        who said it, numbered within its conversation from 0 by
                                          first appearance
`y`                int64 or  `[U]`        its label: the number of one of the classes, -100 where
                   floating               missing; or, where there are no classes, a score, NaN
                                          where missing
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

import json
from collections.abc import Iterable, Mapping
from itertools import chain, count
from os import PathLike
from typing import Any

import torch
from torch import Tensor

from graphfusion._utils.extras import import_safetensors
from graphfusion._utils.files import write_atomically
from graphfusion.datasets._checksums import with_checksums, wrong_checksums
from graphfusion.datasets._contents import Contents, Finish, RawConversation, T
from graphfusion.datasets._layout import FORMAT, VERSION, check_header, check_tensors, read_header
from graphfusion.datasets._problems import errors
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
    whole = list(chain.from_iterable(corpus.splits.values()))
    tensors = {
        "ptr": torch.tensor([0, *(len(each.speaker) for each in whole)]).cumsum(0),
        "speaker": _join("speaker", (each.speaker for each in whole)),
        "y": _join("y", (each.y for each in whole)),
    }
    for name in corpus.in_channels:
        field = f"features.{name}"
        tensors[field] = _join(field, (each.features[name] for each in whole))
    masks = [each.present for each in whole]
    present = _join(
        "present", (torch.stack([mask[name] for name in corpus.in_channels], 1) for mask in masks)
    )
    if not present.all():
        tensors["present"] = present
    scores = [each.score for each in whole if "score" in each]
    if scores:
        if len(scores) < len(whole):
            raise ValueError(
                f"all conversations or none must have a score, but {len(scores)} of {len(whole)} "
                "have one."
            )
        tensors["score"] = _join("score", scores)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "classes": corpus.classes,
        "modalities": list(corpus.in_channels),
        "splits": {split: corpus.ids(split) for split in corpus.splits},
    }
    if corpus.extractors:
        header["extractors"] = corpus.extractors
    # Conversations can be changed after the corpus was made; what load refuses is not written.
    for problem in (*errors(corpus.classes, corpus.splits), *check_tensors(header, tensors)):
        raise ValueError(str(problem))
    # One entry: safetensors writes several in an order that changes from run to run.
    metadata = {"corpus": json.dumps(with_checksums(header, tensors))}
    write_atomically(path, serialize(tensors, metadata))


def load_safetensors(path: str | PathLike[str]) -> Corpus:
    """Reads what :func:`save` wrote.

    Args:
        path: The file.

    Raises:
        ImportError: If safetensors is not installed.
        FormatError: If anything in the file is wrong, or has changed since it was written. Nothing
            that it declares is allocated before it is known to be there.
        OSError: If it cannot be opened.
    """
    return read_safetensors(path, make_corpus)


def read_safetensors(path: str | PathLike[str], finish: Finish[T]) -> T:
    """Makes something of what the file has, once it is cut into conversations."""
    with reading(path) as data:
        tensors = import_safetensors().load(data)
        header = read_header(data)
        problems = (
            list(check_header(header))
            or list(check_tensors(header, tensors))
            or list(wrong_checksums(header, tensors))
        )
        if problems:
            raise FormatError.of(problems)
        extractors = header.get("extractors", {})
        splits = _conversations(header, tensors)
        return finish(Contents(tuple(header["classes"]), splits, extractors=extractors))


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
) -> dict[str, list[RawConversation]]:
    """Cuts the tensors, which are as they should be but for the values of the data."""
    modalities = header["modalities"]
    lengths = tensors["ptr"].diff().tolist()
    parts = {name: whole.split(lengths) for name, whole in tensors.items() if name != "ptr"}

    def conversation(place: int, name: str) -> RawConversation:
        # Clones: who keeps one conversation, or pickles it, does not want the whole corpus. They
        # also make bools of bytes other than 0 and 1.
        part = {field: each[place].clone() for field, each in parts.items()}
        all_of_it = torch.ones(lengths[place], len(modalities), dtype=torch.bool)
        columns = part.get("present", all_of_it).T.contiguous()
        return RawConversation(
            name,
            {modality: part[f"features.{modality}"] for modality in modalities},
            part["speaker"],
            part["y"],
            {
                modality: column.clone()
                for modality, column in zip(modalities, columns, strict=True)
            },
            part.get("score"),
        )

    places = count()
    return {
        split: [conversation(next(places), name) for name in names]
        for split, names in header["splits"].items()
    }
