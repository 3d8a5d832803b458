"""The data sets CMU-MOSI and CMU-MOSEI: opinion videos, with two or seven sentiment classes."""

from os import PathLike
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from graphfusion.data.conversation import Conversation
from graphfusion.datasets.checks.problems import violations
from graphfusion.datasets.corpora._root import load_from
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.labels import relabel
from graphfusion.datasets.readers._reading import FormatError
from graphfusion.datasets.sentiment import SENTIMENTS, cut

_SOURCE = (
    "{name} is distributed by the MultiComp Lab of Carnegie Mellon University under its terms "
    "(https://github.com/A2Zadeh/CMU-MultimodalSDK); the videos belong to their publishers."
)


class _Sentiment(Corpus):
    """Base class of data sets of single-speaker videos with a sentiment score per utterance."""

    raw_file_names: ClassVar[tuple[str, ...]]
    _name: ClassVar[str]

    def __init__(self, root: str | PathLike[str], num_classes: int = 2) -> None:
        if num_classes not in SENTIMENTS:
            raise ValueError(f"num_classes must be 2 or 7, but got {num_classes!r}.")
        source = _SOURCE.format(name=self._name)
        path, corpus = load_from(root, self.raw_file_names, source, {"labels": "scores"})
        # Read into memory, since a lazy sequence would lose the attribute `score` that is set here.
        read = {split: [*conversations] for split, conversations in corpus.splits.items()}
        for conversation in (each for conversations in read.values() for each in conversations):
            conversation.score = _score(path, conversation)
        corpus = Corpus(corpus.classes, read, corpus.extractors)
        splits = relabel(corpus, lambda each: cut(each.score, num_classes))
        super().__init__(SENTIMENTS[num_classes], splits, corpus.extractors)


def _score(path: Path, conversation: Conversation) -> Tensor:
    score: Tensor = conversation.score if "score" in conversation else conversation.y
    if not score.is_floating_point():
        raise FormatError(f"{path}: score must be in the file, but is missing.")
    rule = "scores must be in [-3, 3]"
    for problem in violations(
        conversation.id, "score", rule, score.abs() > 3, f"{_first_out_of_range(score):g}"
    ):
        raise FormatError(f"{path}: {problem}", [problem])
    return score


def _first_out_of_range(score: Tensor) -> float:
    """Returns the first score out of range, or 0."""
    return float(next(iter(score[score.abs() > 3]), 0.0))


class MOSI(_Sentiment):
    """CMU-MOSI (`Zadeh et al., 2016 <https://arxiv.org/abs/1606.06259>`_) as features.

    A conversation is a video of one speaker. Every utterance has a `score` in [-3, 3] (NaN where
    missing), which determines the class; the file's own classes are not used.

    Two classes: negative (below 0) and positive (above 0). Utterances with score 0, and
    conversations without any others, are removed. Seven classes, highly negative to highly
    positive: the score rounded to the nearest integer in [-3, 3], halves to the even one, as for
    the metric Acc-7.

    All modalities of the file are loaded; choose with :meth:`Corpus.select`. The text features
    released with bc-LSTM were trained on the labels of the training videos. The accuracy on a
    validation split of these is therefore close to perfect: do not use them to select an epoch.

    Args:
        root: The folder that contains one of `raw_file_names`, directly or in its subfolder `raw`.
            An .npz file has the array `score`, or scores as `label`. A pickle has scores as labels,
            see :func:`load_pickle`.
        num_classes: 2 or 7.

    Raises:
        FileNotFoundError: If none of the files exists; the message names who distributes them.
        FormatError: If the file is invalid, has no scores, or has scores out of range.
        ValueError: If `num_classes` is neither 2 nor 7.
    """

    raw_file_names: ClassVar[tuple[str, ...]] = ("mosi.safetensors", "mosi.npz", "mosi.pkl")
    _name: ClassVar[str] = "CMU-MOSI"


class MOSEI(_Sentiment):
    """CMU-MOSEI (`Zadeh et al., ACL 2018 <https://aclanthology.org/P18-1208/>`_) as features.

    It has ten times as many utterances as :class:`MOSI`, and the same scores and classes.

    Args:
        root: The folder, see :class:`MOSI`.
        num_classes: 2 or 7, see :class:`MOSI`.

    Raises:
        FileNotFoundError: If none of the files exists; the message names who distributes them.
        FormatError: If the file is invalid, has no scores, or has scores out of range.
        ValueError: If `num_classes` is neither 2 nor 7.
    """

    raw_file_names: ClassVar[tuple[str, ...]] = ("mosei.safetensors", "mosei.npz", "mosei.pkl")
    _name: ClassVar[str] = "CMU-MOSEI"
