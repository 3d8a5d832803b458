"""One-line descriptions of a corpus, for its repr and for messages."""

from collections.abc import Mapping, Sequence

from graphfusion._utils.counted import counted
from graphfusion.data.labels import LabelSpec


def describe_corpus(
    sizes: Mapping[str, int], in_channels: Mapping[str, int], spec: LabelSpec
) -> str:
    """Describes a corpus in one line: sizes of splits and modalities, and number of classes."""
    splits = ", ".join(f"{split}={size}" for split, size in sizes.items())
    labels = f"num_classes={len(spec.classes)}" if spec.classes else "labels=scores"
    if spec.task == "multilabel":
        labels += ", task=multilabel"
    return f"{splits}, in_channels={dict(in_channels)}, {labels}"


def unused_message(ids: Sequence[str]) -> str:
    """Returns the message about conversations that are in no split: their number and first ids."""
    first = ", ".join(map(repr, ids[:3]))
    are = counted(len(ids), "is in none", "are in none")
    return f"conversations must be in a split, but {are}, such as {first:.200}."
