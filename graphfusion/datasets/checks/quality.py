"""Checks for likely mistakes in a corpus that is otherwise valid.

Each check processes one conversation at a time and keeps none, so that a file of any size is
validated in one pass.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

import torch

from graphfusion._utils.counted import counted
from graphfusion.data.labels import labelled
from graphfusion.data.moments import Moments
from graphfusion.data.standardize import LIMIT, scale_of
from graphfusion.datasets.checks.labels import classes_present
from graphfusion.datasets.checks.problems import AnyConversation, Check, Problem, violations
from graphfusion.datasets.checks.sentinels import Sentinels
from graphfusion.datasets.checks.splits import too_few, wrong_names

_MIN_UTTERANCES = 20  # fewer do not suffice to judge the variance of a column
_MIN_DEVIATION = 1e-5  # standard deviation of a column, relative to its largest absolute value
_DIGEST_BYTES = 16  # makes a collision of two conversations as unlikely as 1 in 2^64


def quality_checks(classes: Sequence[str], splits: Iterable[str]) -> list[Check]:
    """Creates all checks for likely mistakes."""
    return [_Splits(splits), _Labels(classes), _Numbering(), _Duplicates(), _Features()]


class _Splits:
    """Checks that no split is empty, and that the splits can be used for training."""

    def __init__(self, splits: Iterable[str]) -> None:
        self._sizes = dict.fromkeys(splits, 0)

    def add(self, split: str, conversation: AnyConversation) -> None:  # noqa: ARG002
        self._sizes[split] += 1

    def problems(self) -> Iterator[Problem]:
        for split, size in self._sizes.items():
            if size == 0 and split != "train":  # an empty "train" is an inconsistency
                yield Problem(None, "splits", f"{split!r} must have conversations, but has none.")
        for message in (*wrong_names(self._sizes), *too_few(self._sizes)):
            yield Problem(None, "splits", f"the corpus {message}")


class _Labels:
    """Checks that every class has a training example."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._train = self._scored = False
        self._found: set[int] = set()

    def add(self, split: str, conversation: AnyConversation) -> None:
        if split != "train":
            return
        self._train = True
        y = conversation.y
        if self._classes:
            self._found |= classes_present(y)
        else:
            self._scored |= bool(labelled(y).any())

    def problems(self) -> Iterator[Problem]:
        if not self._train:
            return
        if not self._classes and not self._scored:
            yield Problem(None, "y", "'train' must have an utterance with a score, but has none.")
        for number, name in enumerate(self._classes):
            if number not in self._found:
                message = f"class {name!r} must have an example in 'train', but has none."
                yield Problem(None, "classes", message)


class _Numbering:
    """Checks that speakers are numbered from 0 by first appearance."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, split: str, conversation: AnyConversation) -> None:  # noqa: ARG002
        speaker = conversation.speaker
        known = speaker.cummax(0).values.roll(1)
        known[0] = -1
        # Negative numbers are reported by `ValueCheck`.
        broken = (speaker - 1 > known) & (speaker >= 0).all()
        rule = "speaker must be numbered from 0 by first appearance"
        self._found += violations(conversation.id, "speaker", rule, broken, speaker)

    def problems(self) -> list[Problem]:
        return self._found


class _Duplicates:
    """Checks that no two conversations have the same features."""

    def __init__(self) -> None:
        self._seen: dict[bytes, str] = {}
        self._found: list[Problem] = []

    def add(self, split: str, conversation: AnyConversation) -> None:  # noqa: ARG002
        if len(conversation.speaker) == 1:  # a single "Okay." can occur twice
            return
        digest = sha256()
        for name, values in conversation.features.items():
            digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
            raw: Any = values.detach().cpu().contiguous().view(torch.uint8).numpy()
            digest.update(raw)
        first = self._seen.setdefault(digest.digest()[:_DIGEST_BYTES], conversation.id)
        if first != conversation.id:
            message = f"features must differ from those of {first!r}, but are the same."
            self._found.append(Problem(conversation.id, "features", message))

    def problems(self) -> list[Problem]:
        return self._found


class _Features:
    """Checks the features of each modality, see :class:`_Modality`."""

    def __init__(self) -> None:
        self._modalities: dict[str, _Modality] | None = None

    def add(self, split: str, conversation: AnyConversation) -> None:
        if self._modalities is None:
            sizes = {name: each.size(1) for name, each in conversation.features.items()}
            self._modalities = {name: _Modality(name, d) for name, d in sizes.items()}
        for name, modality in self._modalities.items():
            if name in conversation.features:
                modality.add(split, conversation)

    def problems(self) -> Iterator[Problem]:
        for modality in (self._modalities or {}).values():
            yield from modality.problems()


class _Modality:
    """Checks one modality for all-zero vectors, sentinels, and columns constant in training."""

    def __init__(self, name: str, channels: int) -> None:
        self._name = name
        self._channels = channels
        self._zeros, self._first = 0, ""
        self._train, self._rest = Moments(channels), Moments(channels)
        self._sentinels = Sentinels(channels)
        self._inconsistent = False  # sizes differ, which `Consistency` reports

    def add(self, split: str, conversation: AnyConversation) -> None:
        values = conversation.features[self._name]
        present = conversation.present[self._name]
        # Many extractors return all zeros when they fail. A vector of size 1 can be 0 by itself.
        if values.size(1) > 1 and bool((broken := ~values.any(1) & present).any()):
            places = broken.nonzero().flatten().tolist()
            self._first = self._first or f"utterance {places[0]} of {conversation.id!r}"
            self._zeros += len(places)
        self._inconsistent |= values.size(1) != self._channels
        if not self._inconsistent:
            rows = values[present]
            (self._train if split == "train" else self._rest).add(rows)
            self._sentinels.add(rows)

    def problems(self) -> Iterator[Problem]:
        field = f"features.{self._name}"
        if self._zeros:
            message = (
                f"{self._name} must be marked absent where extraction failed, but is all zeros "
                f"in {counted(self._zeros, 'utterance')}, the first: {self._first}."
            )
            yield Problem(None, field, message)
        train, rest, both = self._train, self._rest, Moments(self._channels)
        both.join(train)
        both.join(rest)
        low, high = both.low, both.high
        if found := self._sentinels.found(both):
            first, value = next(iter(found.items()))
            message = (
                f"{self._name} must be marked absent where missing, but repeats a value far from "
                f"all others in {len(found)} of {counted(self._channels, 'column')}, the first: "
                f"{value:g} in column {first}."
            )
            yield Problem(None, field, message)
        if (
            self._inconsistent
            or train.count < _MIN_UTTERANCES
            or not bool((low + high).isfinite().all())  # which `ValueCheck` reports
        ):
            return
        # As in `Standardize`: constant columns keep their scale, and outliers are clipped.
        scale = scale_of(train)
        constant = train.deviation != scale
        constant &= (rest.low < train.low) | (rest.high > train.high)
        far = (high - train.mean).maximum(train.mean - low) > LIMIT * scale
        flat = train.deviation <= _MIN_DEVIATION * low.abs().maximum(high.abs())
        for broken, what in (
            (constant, "is constant there"),
            (
                flat & far & ~constant,
                f"hardly does there, so that standardisation clips at {LIMIT:g}",
            ),
        ):
            if columns := broken.nonzero().flatten().tolist():
                message = (
                    f"{self._name} must vary in 'train' as elsewhere, but {what}, in {len(columns)}"
                    f" of {counted(self._channels, 'column')}, the first: {columns[0]}."
                )
                yield Problem(None, field, message)
