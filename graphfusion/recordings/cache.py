"""A cache of extracted vectors: one file per conversation and extractor, named by a hash."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graphfusion._utils.files import read_regular, write_atomically
from graphfusion.recordings.extractors.protocol import Extractor
from graphfusion.recordings.fingerprint import file_digest
from graphfusion.recordings.table import Utterance

_FORMAT = "graphfusion.features.2"


@dataclass(frozen=True, eq=False)
class Vectors:
    """The vectors that an extractor returned for a conversation.

    Args:
        values: `[U, dim]` float32, 0 where absent.
        reasons: Why the vector of each utterance is absent; None: it is present.
        rates: The different sampling rates of the sound, in Hz.
    """

    values: Tensor
    reasons: list[str | None]
    rates: list[int]


def cache_key(extractor: Extractor, utterances: Sequence[Utterance]) -> str:
    """Computes the cache key of an extractor's vectors, from its fingerprint and its input.

    Only the input that the extractor needs counts: correcting a word does not extract the audio
    again.
    """
    seen = [getattr(each, extractor.needs) for each in utterances]
    if extractor.needs != "text":
        seen = [
            path and (file_digest(path), each.start, each.end)
            for path, each in zip(seen, utterances, strict=True)
        ]
    content = [_FORMAT, extractor.needs, int(extractor.dim), dict(extractor.fingerprint), seen]
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_cache(folder: Path, key: str) -> Vectors | None:
    """Reads the vectors of a key, or returns None if they are not cached.

    Raises:
        ValueError: If the file is damaged, by the checksums of NumPy's format.
    """
    path = folder / f"{key}.npz"
    if not path.exists():
        return None
    try:
        with np.load(io.BytesIO(read_regular(path))) as arrays:
            reasons = json.loads(str(arrays["reasons"]))
            return Vectors(torch.from_numpy(arrays["values"]), reasons, arrays["rates"].tolist())
    except Exception as error:  # corrupt data can raise anything
        raise ValueError(f"{path} has been damaged ({error}): delete it.") from error


def write_cache(folder: Path, key: str, vectors: Vectors) -> None:
    """Writes vectors atomically, so that several processes may write the same key."""
    folder.mkdir(parents=True, exist_ok=True)
    with io.BytesIO() as file:
        reasons = json.dumps(vectors.reasons)
        np.savez(file, values=vectors.values.numpy(), reasons=reasons, rates=vectors.rates)
        write_atomically(folder / f"{key}.npz", file.getvalue())
