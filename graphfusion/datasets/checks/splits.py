"""Which splits a corpus must have to be trained on."""

from collections.abc import Iterator, Mapping

#: Names of the split that chooses the epoch, if a corpus has one.
VALIDATION = ("dev", "val", "valid", "validation")


def wrong_names(sizes: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with a corpus's splits, by name and number of conversations, for training."""
    validation = [name for name in VALIDATION if sizes.get(name)]
    unknown = [name for name in sizes if name not in ("train", "test", *VALIDATION)]
    if unknown or len(validation) > 1:
        yield (
            f"must have no splits but train, test and one of {', '.join(VALIDATION)} to be trained "
            f"on, but has {list(sizes)}."
        )


def too_few(sizes: Mapping[str, int]) -> Iterator[str]:
    """Whether there is nothing that could choose the epoch."""
    if sizes.get("train") == 1 and not any(sizes.get(name) for name in VALIDATION):
        yield (
            "must have at least two training conversations to hold one out, or a split of "
            f"{', '.join(VALIDATION)}, but has one."
        )
