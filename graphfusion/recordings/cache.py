"""A cache of extracted vectors: one file per conversation and extractor, named by a hash."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from graphfusion._utils.extras import import_safetensors
from graphfusion._utils.files import read_regular, write_atomically
from graphfusion.recordings.extractors.protocol import Extractor
from graphfusion.recordings.fingerprint import file_digest
from graphfusion.recordings.table import Utterance

_Seen: TypeAlias = str | tuple[str, float | None, float | None] | None
_FORMAT = "graphfusion.features.1"


@dataclass(frozen=True, eq=False)
class Vectors:
    """The vectors that an extractor returned for a conversation.

    Args:
        values: `[U, dim]` float32, 0 where absent.
        reasons: Why the vector of each utterance is absent; None: it is present.
    """

    values: Tensor
    reasons: list[str | None]


def cache_key(extractor: Extractor, utterances: Sequence[Utterance]) -> str:
    """Computes the cache key of an extractor's vectors, from its fingerprint and its input.

    Only the input that the extractor needs counts: correcting a word does not extract the audio
    again.
    """
    seen: list[_Seen] = []
    for each in utterances:
        if extractor.needs == "text":
            seen.append(each.text)
            continue
        path = each.audio if extractor.needs == "audio" else each.video
        seen.append(None if path is None else (_digest(path), each.start, each.end))
    content = [_FORMAT, extractor.needs, extractor.dim, dict(extractor.fingerprint), seen]
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_cache(folder: Path, key: str) -> Vectors | None:
    """Reads the vectors of a key, or returns None if they are not cached.

    Raises:
        ValueError: If the file is damaged.
    """
    path = folder / f"{key}.safetensors"
    if not path.exists():
        return None
    data = read_regular(path)
    try:
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
        values = import_safetensors().load(data)["values"]
        reasons = json.loads(metadata["reasons"])
        if metadata["sha256"] != _checksum(values, reasons):
            raise ValueError("its checksum is another one")
    except Exception as error:  # corrupt data can raise anything
        raise ValueError(f"{path} has been damaged ({error}): delete it.") from error
    return Vectors(values, reasons)


def write_cache(folder: Path, key: str, vectors: Vectors) -> None:
    """Writes vectors atomically, so that several processes may write the same key."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {
        "reasons": json.dumps(vectors.reasons),
        "sha256": _checksum(vectors.values, vectors.reasons),
    }
    data = import_safetensors().save({"values": vectors.values}, metadata)
    write_atomically(folder / f"{key}.safetensors", data)


def _checksum(values: Tensor, reasons: list[str | None]) -> str:
    digest = sha256(json.dumps([list(values.shape), reasons]).encode())
    digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _digest(path: str) -> str:
    """Returns the checksum of a file, memoised until its size or modification time changes."""
    state = Path(path).stat()
    return _digest_of(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=100_000)
def _digest_of(path: str, *_: int) -> str:
    return file_digest(path)
