"""Checks that the splits of a corpus can be used for training."""

from collections.abc import Iterator, Mapping

#: Accepted names of the validation split, on which the best epoch is selected.
VALIDATION = ("dev", "val", "valid", "validation")


def wrong_names(sizes: Mapping[str, int]) -> Iterator[str]:
    """Yields a message if a corpus has splits other than train, test and one for validation."""
    validation = [name for name in VALIDATION if sizes.get(name)]
    unknown = [name for name in sizes if name not in ("train", "test", *VALIDATION)]
    if unknown or len(validation) > 1:
        yield (
            f"must have no splits but train, test and one of {', '.join(VALIDATION)} to be trained "
            f"on, but has {list(sizes)}."
        )


def too_few(sizes: Mapping[str, int]) -> Iterator[str]:
    """Yields a message if there are too few conversations to select the epoch on."""
    if sizes.get("train") == 1 and not any(sizes.get(name) for name in VALIDATION):
        yield (
            "must have at least two training conversations to hold one out, or a split of "
            f"{', '.join(VALIDATION)}, but has one."
        )
