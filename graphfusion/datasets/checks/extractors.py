"""Checks, selects and compares the extractor fingerprints that are stored for each modality."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from graphfusion._utils.warn import warn

# The source of weights, which is ignored where the weights themselves are compared.
_SOURCE = ("model", "revision")


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
    return json_copy("extractors", {name: dict(each) for name, each in value.items()})


def json_copy(name: str, value: object) -> dict[str, Any]:
    """Returns a mapping as JSON has it, with lists in place of tuples.

    Raises:
        TypeError: If it is not a mapping with string keys, or contains non-JSON values.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be an object of JSON, but got {value!r:.200}.")
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{name} must be representable in JSON, but: {error}.") from error
    if not _has_string_keys(value):
        raise TypeError(f"{name} must have string keys only, but have others.")
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


def check_same(modality: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> None:
    """Checks that features are made as in training, by fingerprint.

    Warns of other versions, and of sound at other sampling rates.

    Raises:
        TypeError: If a fingerprint cannot be represented in JSON.
        ValueError: If an entry other than the packages' versions differs.
    """
    now, then = (json_copy(f"the fingerprint of {modality!r}", each) for each in (now, then))
    if different := differences(now, then):
        changes = ", ".join(_change(name, now.get(name), then.get(name)) for name in different)
        raise ValueError(
            f"the features of {modality!r} must be made as in training, but are not ({changes})."
        )
    if (ours := _versions(now)) != (theirs := _versions(then)):
        warn(
            f"the features of {modality!r} should be made with the package versions of training, "
            f"{theirs}, but have {ours}: they may differ.",
        )
    check_rates(modality, now.get("sampling_rates", ()), then.get("sampling_rates", ()))


def check_rates(modality: str, now: Collection[int], then: Collection[int]) -> None:
    """Warns of sound at sampling rates, in Hz, that no sound of training had, if they are known."""
    if then and (new := sorted(set(now) - set(then))):
        warn(
            f"the sound of {modality!r} should have a sampling rate of training, {list(then)} Hz, "
            f"but some has {new} Hz: its features may differ.",
        )


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Returns the names of entries that differ, such as the extractor, options or weights.

    Ignores "versions" of packages and "sampling_rates". Also ignores the source of the weights, if
    both fingerprints have their checksums.
    """
    ignored = {"versions", "sampling_rates"}
    if "sha256" in ours and "sha256" in theirs:
        ignored.update(_SOURCE)
    names = sorted((ours.keys() | theirs.keys()) - ignored)
    return [name for name in names if _differ(ours.get(name), theirs.get(name))]


def _differ(ours: object, theirs: object) -> bool:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):  # of joined modalities
        return bool(differences(ours, theirs))
    return ours != theirs


def _change(name: str, now: object, then: object) -> str:
    """Describes what differs; of two lists, their first difference."""
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        place = next(n for n, pair in enumerate(zip(now, then, strict=True)) if pair[0] != pair[1])
        name, now, then = f"{name}[{place}]", now[place], then[place]
    return f"{name}: {then!r:.200} then, {now!r:.200} now"


def _versions(fingerprint: Mapping[str, Any]) -> dict[str, str]:
    """Returns the versions of all packages, also of joined modalities."""
    versions = fingerprint.get("versions")
    found = dict(versions) if isinstance(versions, Mapping) else {}
    for each in fingerprint.values():
        found |= _versions(each) if isinstance(each, Mapping) else {}
    return found


def _has_string_keys(value: object) -> bool:
    """Returns whether all keys are strings; JSON would convert others, and may merge two keys."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _has_string_keys(each) for key, each in value.items())
    return not isinstance(value, list | tuple) or all(map(_has_string_keys, value))
