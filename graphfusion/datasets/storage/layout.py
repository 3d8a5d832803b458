"""Checks the header and the tensor layout of a file in the library's own format."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, TypeGuard

import torch
from torch import Tensor

from graphfusion._utils.checks import check_not_empty, check_tensor
from graphfusion.data.labels import LabelSpec
from graphfusion.datasets.checks.extractors import check_extractors
from graphfusion.datasets.checks.problems import Problem

FORMAT = "graphfusion.corpus"
VERSION = 1


def read_header(data: bytes) -> dict[str, Any]:
    """Reads the corpus header from the metadata, after checking its format and version."""
    metadata = json.loads(data, object_pairs_hook=_reject_duplicates).get("__metadata__") or {}
    try:
        header = json.loads(metadata.get("corpus", "null"), object_pairs_hook=_reject_duplicates)
    except ValueError as error:
        raise ValueError(f"corpus, in the metadata, must be JSON, but: {error}") from error
    found = header.get("format") if isinstance(header, dict) else None
    if found != FORMAT:
        raise ValueError(f"format must be {FORMAT!r}, but got {found!r}: the file is not a corpus.")
    if header.get("version") != VERSION:
        raise ValueError(
            f"version must be {VERSION}, but got {header.get('version')!r}: another release of "
            "graphfusion may read the file."
        )
    return dict(header)


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("refused: the header has a key twice.")
    return found


def check_header(header: Mapping[str, Any]) -> Iterator[Problem]:
    """Yields the problems of the header: classes, modalities, splits and extractors."""
    for key, fits, expected in (
        ("classes", _are_names, "a list of strings"),
        ("modalities", _are_keys, "a list of different names, at least one"),
        ("splits", _are_lists, "an object of lists of strings"),
    ):
        if not fits(header.get(key)):
            yield Problem(None, key, f"{key} must be {expected}, but got {header.get(key)!r:.80}.")
    if _are_keys(header.get("modalities")):
        try:
            check_extractors(header.get("extractors", {}), header["modalities"])
        except (TypeError, ValueError) as error:
            yield Problem(None, "extractors", str(error))


def _are_names(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _are_keys(value: object) -> bool:
    return _are_names(value) and len(set(value)) == len(value) > 0 and "" not in value


def _are_lists(value: object) -> bool:
    return isinstance(value, dict) and all(_are_names(names) for names in value.values())


def check_tensors(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Iterator[Problem]:
    """Yields the problems of the tensors' names, dtypes, shapes and `ptr`, given a valid header."""
    ids = list(chain.from_iterable(header["splits"].values()))
    modalities = header["modalities"]
    y = tensors.get("y")  # its length is the number of utterances
    size = len(y) if y is not None and y.dim() else "U"
    spec = LabelSpec.of(header["classes"], y)
    # A dtype of None stands for any floating dtype.
    expected: dict[str, tuple[list[int | str], torch.dtype | None]] = {
        "ptr": ([len(ids) + 1], torch.int64),
        "speaker": ([size], torch.int64),
        "y": (spec.shape, spec.dtype),
        **{f"features.{name}": ([size, "d"], None) for name in modalities},
    }
    optional: dict[str, tuple[list[int | str], torch.dtype | None]] = {
        "present": ([size, len(modalities)], torch.bool),
        "score": ([size], None),
    }
    wrong = {}
    for name, (shape, dtype) in (expected | optional).items():
        if name in tensors:
            try:
                check_tensor(name, tensors[name], shape, dtype)
                check_not_empty(name, tensors[name])
            except (TypeError, ValueError) as error:
                wrong[name] = str(error)
        elif name in expected:
            wrong[name] = f"{name} must be in the file, but is missing."
    for name in sorted(tensors.keys() - expected.keys() - optional.keys()):
        wrong[name] = (
            f"{name} must not be in the file: it is neither a tensor of the format nor a modality."
        )
    for name, message in wrong.items():
        yield Problem(None, name, message)
    if not {"ptr", "y"} & wrong.keys():
        yield from _check_ptr(ids, tensors["ptr"].tolist(), len(tensors["y"]))


def _check_ptr(ids: Sequence[str], ptr: list[int], size: int) -> Iterator[Problem]:
    if ptr[0] != 0:
        yield Problem(None, "ptr", f"ptr must begin with 0, but begins with {ptr[0]}.")
    if ptr[-1] != size:
        message = f"ptr must end with {size}, the number of utterances, but ends with {ptr[-1]}."
        yield Problem(None, "ptr", message)
    for name, (start, end) in zip(ids, pairwise(ptr), strict=True):
        if start >= end:
            message = f"ptr must strictly increase, but has {end} after {start}."
            yield Problem(name, "ptr", message)
