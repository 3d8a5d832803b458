"""Broken files of every format, each made from its number: bytes, and what is within containers.

What a checksum, a size or an index protects is broken inside and closed again, or else the checksum
is all that a reader is ever asked about.
"""

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from graphfusion import MMDFN, Conversation
from graphfusion.datasets import Corpus, save
from tests.datasets.mutations.archives import npz
from tests.datasets.mutations.damage import damage, sample
from tests.datasets.mutations.programs import pickled
from tests.datasets.mutations.tables import csv, parquet_file
from tests.datasets.mutations.tensors import (
    edit,
    safetensors_file,
    with_right_checksum,
    without_checksums,
)
from tests.datasets.mutations.values import field, mmsa

Files = dict[str, bytes | None]  # of a folder; None: no such file


def _corpora() -> list[bytes]:
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for masked, several in ((False, False), (True, False), (True, True)):
            conversations = []
            for conversation in sample(3).conversations:
                size = len(conversation.labels)
                present = torch.ones(size, 3, dtype=torch.bool)
                present[0, 1] = not masked
                further = {"score": torch.ones(size)} if masked else {}
                speaker = torch.arange(size) % 2
                features = {
                    name: torch.from_numpy(each) for name, each in conversation.features.items()
                }
                y = torch.tensor(conversation.labels)
                y = torch.nn.functional.one_hot(y, 3).float() if several else y
                present = dict(zip(features, present.unbind(1), strict=True))
                conversations.append(
                    Conversation(features, speaker, y, present, id=conversation.id, **further)
                )
            path = Path(folder, "corpus")
            save(
                Corpus(("a", "b", "c"), {"train": conversations[:2], "test": conversations[2:]}),
                path,
            )
            files.append(path.read_bytes())
    return files


def _models() -> list[dict[str, bytes]]:
    folders = []
    small = {"channels": 2, "hidden_channels": 1, "num_layers": 1}
    with tempfile.TemporaryDirectory() as folder:
        for more in (
            {"context": ("text",), "past": 2, "utterance_channels": 2},
            {"speaker_weights": {"text": 0, "audio": 0}},
        ):
            MMDFN({"text": 3, "audio": 2}, 2, **small, **more).save_pretrained(folder)
            folders.append({each.name: each.read_bytes() for each in Path(folder).iterdir()})
    return folders


CORPORA, MODELS = _corpora(), _models()


def corpus(rng: random.Random) -> bytes:
    data = safetensors_file(rng, rng.choice(CORPORA), "corpus", rng.choice(CORPORA))
    return without_checksums(data) if rng.random() < 0.7 else data


def model(rng: random.Random) -> Files:
    files: Files = dict(rng.choice(MODELS))
    other = rng.choice(MODELS)["model.safetensors"]
    text = files["config.json"]
    kind = rng.choice(("weights", "weights", "weights", "config", "bytes", "other"))
    if kind == "weights":
        weights = safetensors_file(rng, files["model.safetensors"], "config", other)
        if rng.random() < 0.7:
            weights = with_right_checksum(weights)
        files["model.safetensors"] = weights
        files["config.json"] = rng.choice((text, None, None, _config(weights)))
    elif kind == "config":
        files["config.json"] = json.dumps(edit(rng, json.loads(text))).encode()
    elif kind == "bytes":
        files["config.json"] = damage(rng, text)
    else:
        files["model.safetensors"] = other
    return files


def _config(weights: bytes) -> bytes | None:
    """What the weights' file says in its metadata, so that the copy agrees with it."""
    try:
        size = int.from_bytes(weights[:8], "little")
        return json.loads(weights[8 : 8 + size])["__metadata__"]["config"].encode()
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


FORMS: dict[str, Callable[[random.Random], bytes | Files]] = {
    "npz": npz,
    "pickle": pickled,
    "tuple": field,
    "mmsa": mmsa,
    "safetensors": corpus,
    "model": model,
    "csv": csv,
    "parquet": parquet_file,
}


def broken(form: str, number: int) -> Files:
    """The broken file of this number, the same whenever it is asked for."""
    made = FORMS[form](random.Random(f"{form} {number}"))
    return made if isinstance(made, dict) else {"corpus": made}
