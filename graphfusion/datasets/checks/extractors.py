"""Checks and selects the extractor fingerprints that a corpus stores for each modality."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any


def check_extractors(value: object, modalities: Collection[str]) -> dict[str, dict[str, Any]]:
    """Returns a copy of the fingerprints by modality, after checking that JSON can represent them.

    Raises:
        TypeError: If `value` is not a mapping of mappings, or contains non-JSON values.
        ValueError: If it names an unknown modality.
    """
    if not isinstance(value, Mapping) or not all(isinstance(v, Mapping) for v in value.values()):
        raise TypeError(f"extractors must map modalities to objects, but got {value!r:.200}.")
    if unknown := [name for name in value if name not in modalities]:
        raise ValueError(f"extractors must name some of {list(modalities)}, but got {unknown}.")
    whole = {name: dict(each) for name, each in value.items()}
    try:
        copy: dict[str, dict[str, Any]] = json.loads(json.dumps(whole, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"extractors must be representable in JSON, but: {error}.") from error
    if not _has_string_keys(whole):
        raise TypeError("extractors must have string keys only, but have others.")
    return copy


def select_extractors(
    extractors: Mapping[str, Mapping[str, Any]], groups: Sequence[Sequence[str]]
) -> dict[str, Mapping[str, Any]]:
    """Selects the fingerprints of the given groups of modalities.

    A group of several modalities keeps a mapping from modality to fingerprint.
    """
    chosen: dict[str, Mapping[str, Any]] = {}
    for group in groups:
        known = {name: extractors[name] for name in group if name in extractors}
        if known:
            chosen[group[0]] = known if len(group) > 1 else known[group[0]]
    return chosen


def _has_string_keys(value: object) -> bool:
    """Returns whether all keys are strings; JSON would convert others, and may merge two keys."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _has_string_keys(each) for key, each in value.items())
    return not isinstance(value, list | tuple) or all(map(_has_string_keys, value))
