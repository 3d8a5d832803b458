"""Assigns the conversations of a pickle to splits."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphfusion._utils.counted import counted
from graphfusion.datasets.readers._safe_objects import Array
from graphfusion.datasets.readers._tables import Key, Table, keys_of
from graphfusion.datasets.readers._tuple_layouts import SPLITS

# Words in the ids of published pickles that name the split.
_WORDS = {"train": ("train",), "test": ("test",), "dev": ("dev", "val")}


def find_splits(
    places: Mapping[str, object], known: Table, requested: Sequence[str] | None
) -> dict[str, list[Key]]:
    """Returns the conversation ids of each split.

    Args:
        places: The elements of the tuple by name.
        known: A table with an entry for every conversation.
        requested: The names of the splits in the order of the tuple's lists; None: inferred.

    Raises:
        ValueError: If the order of three lists is ambiguous.
    """
    lists = {name: places[name] for name in (*SPLITS, "third") if name in places}
    third = lists.get("third")
    if third is not None and not _lists_ids(third, known):
        del lists["third"]
    splits = {name: keys_of(name, value) for name, value in lists.items()}
    names = list(splits)
    if requested is not None:
        if len(requested) != len(names):
            raise ValueError(
                f"splits must be {counted(len(names), 'name')}, for as many lists of ids, but got "
                f"{requested!r}."
            )
        names = list(requested)
    elif "third" in splits:
        names = ["train", *_infer_order(splits["test"], splits["third"])]
    return dict(zip(names, splits.values(), strict=True))


def _lists_ids(value: Any, known: Table) -> bool:
    """Returns whether a list has a known id; one suffices, unknown ids are reported later."""
    items = value.array.reshape(-1).tolist() if isinstance(value, Array) else value
    return any(type(item) in (str, int) and item in known for item in items)


def _infer_order(second: Sequence[Key], third: Sequence[Key]) -> tuple[str, str]:
    """Infers from their ids which of two lists is the test split.

    Raises:
        ValueError: If the ids do not determine it.
    """
    named = _named_split(second), _named_split(third)
    if named[0] == "test" and named[1] != "test":
        return "test", "dev"
    if named[1] == "test" and named[0] != "test":
        return "dev", "test"
    if named == (None, "dev"):
        return "test", "dev"
    if named == ("dev", None):
        return "dev", "test"
    raise ValueError(
        "the ids must identify the second or the third list as the test split, but do not: "
        "pass splits=('train', 'test', 'dev') or splits=('train', 'dev', 'test')."
    )


def _named_split(keys: Sequence[Key]) -> str | None:
    """Returns the split that all ids name: by a word, or by IEMOCAP's session 5, the test split."""
    for split, words in _WORDS.items():
        if keys and all(any(word in str(key).lower() for word in words) for key in keys):
            return split
    if keys and all(str(key).startswith("Ses05") for key in keys):
        return "test"
    return None
