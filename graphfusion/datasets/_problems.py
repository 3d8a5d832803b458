"""What can be wrong with conversations: each rule once, for readers and for the validator."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from graphfusion.data.conversation import Conversation


@dataclass(frozen=True)
class Problem:
    """Something in a file that should be otherwise.

    Args:
        conversation: The id of the conversation that has it; None: it concerns the whole file.
        field: What of it is wrong: "id", "y", "features.text"; None: the reader got no further.
        message: What was expected, and what came.
    """

    conversation: str | None
    field: str | None
    message: str

    def __str__(self) -> str:
        if self.conversation is None:
            return self.message
        return f"conversation {self.conversation!r}: {self.message}"


@dataclass(frozen=True)
class Talk:
    """A conversation as a file has it, its values not yet checked.

    Args:
        id: Its name.
        features: `{modality: [U, d_m]}`, floating.
        speaker: `[U]` int64.
        y: `[U]` int64.
        present: `{modality: [U] bool}`.
        score: `[U]`, floating, a continuous label, if there is one.
    """

    id: str
    features: dict[str, Tensor]
    speaker: Tensor
    y: Tensor
    present: dict[str, Tensor]
    score: Tensor | None = None

    def conversation(self) -> Conversation:
        """The same, checked."""
        further = {} if self.score is None else {"score": self.score}
        return Conversation(
            self.features, self.speaker, self.y, self.present, id=self.id, **further
        )


Splits: TypeAlias = Mapping[str, Sequence[Talk]] | Mapping[str, Sequence[Conversation]]
T = TypeVar("T")
# What to make of the classes and conversations in a file: a corpus, say, or a list of its problems.
Finish: TypeAlias = Callable[[tuple[str, ...], dict[str, list[Talk]]], T]


def errors(classes: Sequence[str], splits: Splits) -> Iterator[Problem]:
    """What stands in the way of a corpus, all of it."""
    for talks in splits.values():
        for talk in talks:
            yield from faults(talk)
    yield from inconsistencies(classes, splits)


def faults(talk: Talk | Conversation) -> Iterator[Problem]:
    """What no conversation may have."""
    for name, values in talk.features.items():
        yield from _search(
            talk.id,
            f"features.{name}",
            f"{name} must be finite",
            ~values.isfinite().all(1) & talk.present[name],
            "NaN or infinity",
        )
    score = getattr(talk, "score", None)
    if score is not None:
        broken = ~score.isfinite()
        yield from _search(talk.id, "score", "score must be finite", broken, "NaN or infinity")
    yield from _search(
        talk.id, "speaker", "speaker must not be negative", talk.speaker < 0, talk.speaker
    )


def inconsistencies(classes: Sequence[str], splits: Splits) -> Iterator[Problem]:
    """What no corpus may have, each of its conversations being as it should."""
    if len(set(classes)) != len(classes):
        yield Problem(None, "classes", f"classes must be unique, but got {', '.join(classes)}.")
    if not splits.get("train"):
        yield Problem(
            None, "splits", f"splits must have conversations in 'train', but got {list(splits)}."
        )
    home: dict[str, str] = {}
    wanted: dict[str, int] | None = None
    for split, talks in splits.items():
        for talk in talks:
            name = getattr(talk, "id", None)
            if not isinstance(name, str):
                message = f"conversations must have a string as id, but got {name!r}."
                yield Problem(None, "id", message)
                continue
            if name in home:
                message = f"must be in one split, once, but is in {home[name]!r} and {split!r}."
                yield Problem(name, "id", message)
            home[name] = split
            sizes = {modality: value.size(1) for modality, value in talk.features.items()}
            wanted = wanted or sizes
            if list(sizes.items()) != list(wanted.items()):  # their order counts, too
                message = (
                    f"features must have the modalities and sizes {wanted} of the corpus, "
                    f"but got {sizes}."
                )
                yield Problem(name, "features", message)
            y = talk.y
            if y is None or y.dim() != 1 or y.dtype != torch.int64:
                got = None if y is None else f"{y.dtype} of shape {list(y.shape)}"
                yield Problem(name, "y", f"y must be one int64 an utterance, but got {got}.")
                continue
            rule = f"labels must be in [0, {len(classes)})"
            yield from _search(name, "y", rule, (y < 0) | (y >= len(classes)), y)


def doubts(classes: Sequence[str], splits: Splits) -> Iterator[Problem]:
    """What a corpus may have, but hardly on purpose."""
    for split, talks in splits.items():
        if not talks and split != "train":  # without that there is no corpus
            yield Problem(None, "splits", f"{split!r} must have conversations, but has none.")
    train = splits.get("train", ())
    learnt = {label for talk in train for label in talk.y.tolist()}
    for number, name in enumerate(classes):
        if train and number not in learnt:
            message = f"class {name!r} must have an example in 'train', but has none."
            yield Problem(None, "classes", message)
    for talks in splits.values():
        for talk in talks:
            known = talk.speaker.cummax(0).values.roll(1)
            known[0] = -1
            yield from _search(
                talk.id,
                "speaker",
                "speaker must be numbered from 0 by first appearance",
                (talk.speaker - 1 > known) & (talk.speaker >= 0).all(),  # else that is the problem
                talk.speaker,
            )


def _search(
    conversation: str, field: str, rule: str, broken: Tensor, got: Tensor | str
) -> Iterator[Problem]:
    """One problem for all utterances that break a rule.

    Args:
        conversation: Its id.
        field: What of it.
        rule: What was expected.
        broken: `[U]` bool.
        got: What came, in words or `[U]` values.
    """
    places = broken.nonzero().flatten().tolist()
    if places:
        what = got if isinstance(got, str) else int(got[places[0]])
        others = f", one of {len(places)} such utterances" if len(places) > 1 else ""
        message = f"{rule}, but utterance {places[0]} has {what}{others}."
        yield Problem(conversation, field, message)
