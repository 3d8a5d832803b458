"""What there is to say of a corpus."""

from collections.abc import Mapping, Sequence

from graphfusion.data.labels import LabelSpec


def describe(sizes: Mapping[str, int], in_channels: Mapping[str, int], spec: LabelSpec) -> str:
    """What is in a corpus, in a line."""
    splits = ", ".join(f"{split}={size}" for split, size in sizes.items())
    labels = f"num_classes={len(spec.classes)}" if spec.classes else "labels=scores"
    if spec.task == "multilabel":
        labels += ", task=multilabel"
    return f"{splits}, in_channels={dict(in_channels)}, {labels}"


def say_unused(ids: Sequence[str]) -> str:
    """How many conversations are in no split, and which the first are."""
    first = ", ".join(map(repr, ids[:3]))
    return f"conversations must be in a split, but {len(ids)} are in none, such as {first:.200}."
