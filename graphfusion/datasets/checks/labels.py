"""Checks the labels of conversations for each task."""

from collections.abc import Iterable, Iterator
from unicodedata import normalize

from torch import Tensor

from graphfusion._utils.checks import check_tensor
from graphfusion.data.labels import MISSING, LabelSpec
from graphfusion.datasets.checks.problems import Problem, infinite_scores, violations

_EXPECTED = {
    "classification": f"one int64 per utterance, {MISSING} where missing",
    "regression": "one floating score per utterance (there are no classes), NaN where missing",
    "multilabel": "floating [U, {size}], 1 where a class applies, 0 where not, NaN where missing",
}


def check_labels(name: str, y: Tensor | None, spec: LabelSpec) -> Iterator[Problem]:
    """Yields the problems of the labels of one conversation, or of several concatenated."""
    try:
        check_tensor("y", y, spec.shape, spec.dtype)
    except (TypeError, ValueError):
        expected = _EXPECTED[spec.task].format(size=len(spec.classes))
        got = None if y is None else f"{y.dtype} of shape {list(y.shape)}"
        yield Problem(name, "y", f"y must be {expected}, but got {got}.")
        return
    assert y is not None  # noqa: S101 - for the type checker
    if spec.task == "regression":
        yield from infinite_scores(name, "y", y)
    elif spec.task == "multilabel":
        yield from _not_binary(name, y, spec.classes)
    elif not _in_range(y, len(spec.classes)):
        broken = (y != MISSING) & ((y < 0) | (y >= len(spec.classes)))
        rule = f"labels must be in [0, {len(spec.classes)}), or {MISSING} where missing"
        yield from violations(name, "y", rule, broken, y)


def _not_binary(name: str, y: Tensor, classes: tuple[str, ...]) -> Iterator[Problem]:
    broken = (y != 0) & (y != 1) & ~y.isnan()
    places = broken.nonzero()
    if len(places):
        row, column = places[0].tolist()
        got = f"{float(y[row, column]):g} for {classes[column]!r}"
        rule = "labels must be 0 or 1, or NaN where missing"
        yield from violations(name, "y", rule, broken.any(1), got)


def _in_range(y: Tensor, num_classes: int) -> bool:
    """Returns whether all labels are class numbers: a fast path, since most corpora pass."""
    if len(y) == 0:
        return True
    low, high = y.aminmax()
    return int(low) >= 0 and int(high) < num_classes


def classes_present(y: Tensor) -> set[int]:
    """Returns the classes that occur in labels `[U]` (class numbers) or `[U, K]` (0 and 1)."""
    found = (y == 1).any(0).nonzero() if y.dim() > 1 else y[y >= 0].unique()
    return set(found.flatten().tolist())


def typos(field: str, classes: Iterable[str]) -> str | None:
    """Returns a warning about names of classes that are probably the same; None: there are none."""
    if not (similar := alike(classes)):
        return None
    return (
        f"{field} has classes that differ in case or spaces only: {similar}; if they are the same, "
        "change the table, and otherwise name all of them as `classes`."
    )


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups different names that are equal but for case, spaces and their form in Unicode."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        key = " ".join(normalize("NFC", name).casefold().split())
        groups.setdefault(key, []).append(name)
    return [group for group in groups.values() if len(group) > 1]
