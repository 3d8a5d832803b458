"""Checks the layout of an .npz file from its headers, before any array is decompressed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from graphfusion.datasets.readers._archive import Header
from graphfusion.datasets.readers._options import Options
from graphfusion.datasets.readers._vectors import check_vectors

_NAMES = ("dialogue", "speaker", "split")
_KNOWN = (*_NAMES, "label", "classes", "score", "present", "turn", "utt")
# The memory limit: the maximum ratio of Deflate times the file's size, plus 32 MiB.
_PER_BYTE, _SPARE = 1032, 2**25


@dataclass
class Layout:
    """The roles of the arrays in an archive.

    Args:
        size: U, the number of utterances.
        modalities: The names of the modalities, in the file's order.
        masks: `{modality: array name}`, the presence masks.
        named: Whether the file names the classes.
        multilabel: Whether the labels are multilabel.
    """

    size: int
    modalities: list[str] = field(default_factory=list)
    masks: dict[str, str] = field(default_factory=dict)
    named: bool = False
    multilabel: bool = False


def read_layout(headers: Mapping[str, Header], options: Options) -> Layout:
    """Determines the role of each array.

    Raises:
        ValueError: If a required array is missing, or an array has no valid role.
    """
    label = headers.get("label")
    scores = options.labels == "scores"
    required = [*_NAMES, "score" if scores and "score" in headers else "label"]
    if label is not None and label.dtype.kind in "iu" and not scores:
        required.append("classes")
    missing = [name for name in required if name not in headers]
    if missing:
        raise ValueError(
            f"the file must have the arrays {', '.join(required)}, but {', '.join(missing)} is "
            "missing."
        )
    for name in (*_NAMES, *(["classes"] if "classes" in headers else [])):
        header = headers[name]
        if len(header.shape) != 1 or header.dtype.kind not in "SUiu":
            raise ValueError(f"{name} must be a vector of strings or integers, but got {header}.")
    layout = Layout(headers["dialogue"].shape[0], named="classes" in headers)
    if label is not None and layout.named and not scores:
        size = headers["classes"].shape[0]
        # With one class, a single column of integers is ambiguous and counts as class numbers.
        layout.multilabel = label.shape == (layout.size, size) and (
            size > 1 or label.dtype.kind == "b"
        )
    for name, header in headers.items():
        if name != "classes" and header.shape[:1] != (layout.size,):
            raise ValueError(
                f"{name} must have one row per utterance ({layout.size}), but has shape "
                f"{list(header.shape)}."
            )
        if name not in _KNOWN and header.dtype.kind == "f":
            _check_modality(name, header, options)
            layout.modalities.append(name)
    if not layout.modalities:
        raise ValueError("the file must have an array of floats, a modality, but has none.")
    for name, header in headers.items():
        _check_other(name, header, layout)
    return layout


def check_cost(
    headers: Mapping[str, Header], layout: Layout, conversations: int, size: int
) -> None:
    """Checks that reading takes no more memory than the file's size can justify.

    Args:
        headers: The headers of the arrays.
        layout: The roles of the arrays.
        conversations: The number of conversations, or a lower bound.
        size: The size of the file in bytes.

    Raises:
        ValueError: If the estimate exceeds the limit.
    """
    names = [headers[name] for name in (*_NAMES, *(["classes"] if layout.named else []))]
    cost = sum(4 * each.nbytes + 240 * each.shape[0] for each in names)
    cost += 64 * layout.size  # labels, scores and the order of the rows
    if layout.multilabel:  # the array, the labels, and temporaries of the checks
        cost += 32 * math.prod(headers["label"].shape)
    for name in layout.modalities:
        header = headers[name]
        frames = math.prod(header.shape) if len(header.shape) == 3 else 0
        # A copy in float32, another in float64 for means, and temporaries of the checks.
        cost += header.nbytes + frames + 16 * layout.size * header.shape[-1] + 2 * layout.size
    for name in ("present", *layout.masks.values()):
        if name in headers:
            cost += headers[name].nbytes + 4 * math.prod(headers[name].shape)
    # Each conversation is a Python object, and so is each of its tensors.
    cost += conversations * 2**11 * (4 + len(layout.modalities))
    check_bound(cost, size)


def check_bound(cost: int, size: int) -> None:
    """Raises a ValueError if a memory estimate exceeds the limit for a file of `size` bytes."""
    bound = _PER_BYTE * size + _SPARE
    if cost > bound:
        raise ValueError(
            f"refused: reading the file takes about {cost} bytes of memory, but the limit is "
            f"{bound}: {_PER_BYTE} times its size plus {_SPARE}."
        )


def _check_modality(name: str, header: Header, options: Options) -> None:
    if len(header.shape) < 2:
        raise ValueError(
            f"{name} must have shape [U, d], as arrays of floats are modalities, "
            f"but got {list(header.shape)}."
        )
    check_vectors(name, header.shape[1:], options.frames)


def _check_other(name: str, header: Header, layout: Layout) -> None:
    """Checks an array that is not a modality; further strings and `utt` are ignored."""
    kind, width = header.dtype.kind, len(header.shape)
    if name == "label" and layout.multilabel:
        if kind not in "biuf":
            raise ValueError(f"label must be bools, or 1 and 0, for each class, but got {header}.")
    elif name in ("label", "score"):
        if kind not in "fiu" or header.shape not in ((layout.size,), (layout.size, 1)):
            hint = ""
            if name == "label" and width == 2:
                hint = ", or a column of 1 and 0 for each of the classes"
            raise ValueError(f"{name} must be one number per utterance{hint}, but got {header}.")
    elif name == "turn":
        if kind not in "iu" or width != 1:
            raise ValueError(f"turn must be one integer per utterance, but got {header}.")
    elif name == "present":
        if kind not in "biu" or header.shape[1:] != (len(layout.modalities),):
            raise ValueError(
                "present must have a column of bools for each of the modalities "
                f"{layout.modalities}, in their order, but got {header}."
            )
    elif name.startswith("has_") and name[4:] in layout.modalities:
        if kind not in "biu" or width != 1:
            raise ValueError(f"{name} must be one bool per utterance, but got {header}.")
        layout.masks[name[4:]] = name
    elif name not in (*_KNOWN, *layout.modalities) and kind not in "SU":
        raise ValueError(
            f"{name} must be floats to be a modality, or named has_MODALITY to mark which "
            f"utterances have one, but got {header}; remove arrays that are neither."
        )
