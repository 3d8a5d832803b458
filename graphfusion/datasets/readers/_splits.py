"""Which conversations of a pickle are in which split."""

from collections.abc import Mapping, Sequence

from graphfusion.datasets.readers._shapes import SPLITS
from graphfusion.datasets.readers._stand_ins import Array
from graphfusion.datasets.readers._tables import Key, Table, keys_of

# How the field's ids begin or end that say their split themselves.
_WORDS = {"train": ("train",), "test": ("test",), "dev": ("dev", "val")}


def find_splits(
    places: Mapping[str, object], known: Table, asked: Sequence[str] | None
) -> dict[str, list[Key]]:
    """The ids in each split.

    Args:
        places: A tuple's elements by what they are.
        known: A table with all conversations.
        asked: The splits' names in the order of the tuple's lists; None: what the file says.

    Raises:
        ValueError: If there are three lists whose order the file does not say.
    """
    lists = {name: places[name] for name in (*SPLITS, "third") if name in places}
    third = lists.get("third")
    if third is not None and not _lists_ids(third, known):
        del lists["third"]
    splits = {name: keys_of(name, value) for name, value in lists.items()}
    names = list(splits)
    if asked is not None:
        if len(asked) != len(names):
            raise ValueError(
                f"splits must be {len(names)} names, for as many lists of ids, but got {asked!r}."
            )
        names = list(asked)
    elif "third" in splits:
        names = ["train", *_order(splits["test"], splits["third"])]
    return dict(zip(names, splits.values(), strict=True))


def _lists_ids(value: object, known: Table) -> bool:
    """Whether an element lists conversations; some of them are enough, the rest is a mistake."""
    items: object = value.array.reshape(-1).tolist() if isinstance(value, Array) else value
    if not isinstance(items, list | tuple | set):
        return False
    return any(type(item) in (str, int) and item in known for item in items)


def _order(second: Sequence[Key], third: Sequence[Key]) -> tuple[str, str]:
    """Which of two lists is the test's, as far as their ids say it."""
    says = _says(second), _says(third)
    if says[0] == "test" and says[1] != "test":
        return "test", "dev"
    if says[1] == "test" and says[0] != "test":
        return "dev", "test"
    if says == (None, "dev"):
        return "test", "dev"
    if says == ("dev", None):
        return "dev", "test"
    raise ValueError(
        "which list of ids is the test's, the second or the third, must be known, but is not: "
        "say splits=('train', 'test', 'dev') or splits=('train', 'dev', 'test')."
    )


def _says(keys: Sequence[Key]) -> str | None:
    """The split that all ids name: by a word in them, or IEMOCAP's session 5, which is the test."""
    for split, words in _WORDS.items():
        if keys and all(any(word in str(key).lower() for word in words) for key in keys):
            return split
    if keys and all(str(key).startswith("Ses05") for key in keys):
        return "test"
    return None
