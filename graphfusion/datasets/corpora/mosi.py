"""CMU-MOSI and CMU-MOSEI: people who say what they think of something; two classes or seven."""

from os import PathLike
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from graphfusion.data.conversation import Conversation
from graphfusion.datasets.checks.problems import search
from graphfusion.datasets.corpora._root import load_from
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.labels import relabel
from graphfusion.datasets.readers._reading import FormatError
from graphfusion.datasets.sentiment import SENTIMENTS, cut

_SOURCE = (
    "{name} is given out by the MultiComp Lab of Carnegie Mellon University, on the terms that it "
    "states (https://github.com/A2Zadeh/CMU-MultimodalSDK); the videos belong to those who "
    "published them."
)


class _Sentiment(Corpus):
    """Videos of one speaker each, with a score of sentiment for every utterance."""

    raw_file_names: ClassVar[tuple[str, ...]]
    _name: ClassVar[str]

    def __init__(self, root: str | PathLike[str], num_classes: int = 2) -> None:
        if num_classes not in SENTIMENTS:
            raise ValueError(f"num_classes must be 2 or 7, but got {num_classes!r}.")
        source = _SOURCE.format(name=self._name)
        path, corpus = load_from(root, self.raw_file_names, source, {"labels": "scores"})
        # In memory: an open file makes its conversations anew, without a score that was set.
        read = {split: [*conversations] for split, conversations in corpus.splits.items()}
        for conversation in (each for conversations in read.values() for each in conversations):
            conversation.score = _score(path, conversation)
        corpus = Corpus(corpus.classes, read, corpus.extractors)
        splits = relabel(corpus, lambda each: cut(each.score, num_classes))
        super().__init__(SENTIMENTS[num_classes], splits, corpus.extractors)


def _score(path: Path, conversation: Conversation) -> Tensor:
    score: Tensor = conversation.score if "score" in conversation else conversation.y
    if not score.is_floating_point():
        raise FormatError(f"{path}: score must be in the file to be cut, but is not.")
    rule = "scores must be in [-3, 3]"
    for problem in search(conversation.id, "score", rule, score.abs() > 3, f"{_far(score):g}"):
        raise FormatError(f"{path}: {problem}", [problem])
    return score


def _far(score: Tensor) -> float:
    """The first score out of range, or 0."""
    return float(next(iter(score[score.abs() > 3]), 0.0))


class MOSI(_Sentiment):
    """CMU-MOSI (`Zadeh et al., 2016 <https://arxiv.org/abs/1606.06259>`_) from features.

    A conversation is a video, in which one person speaks. Every utterance has a `score` in
    [-3, 3], from which the classes are cut (NaN: there is none, and no label); the file's own
    classes are not used.

    Two classes: negative (below 0) and positive (above 0); an utterance of score 0 is left out, and
    so is a conversation without any others. Seven classes, highly negative to highly positive,
    are the score rounded to the nearest integer from -3 to 3, halves to the even one, which is how
    the field computes Acc-7.

    All modalities of the file are taken over; choose with :meth:`Corpus.select`. The text features
    released with bc-LSTM were trained on the labels of the training videos, so that a validation
    set cut from these looks near perfect: do not use them where an epoch is to be picked.

    Args:
        root: The folder that holds one of `raw_file_names`, itself or in its subfolder `raw`. An
            archive has the array `score`, or scores as `label`; a pickle is one that
            :func:`load_pickle` describes, with scores as labels.
        num_classes: 2 or 7.

    Raises:
        FileNotFoundError: If there is none of the files; it says who gives them out.
        FormatError: If anything in the file is wrong, or there are no scores, or others
            than from -3 to 3.
        ValueError: If `num_classes` is neither.
    """

    raw_file_names: ClassVar[tuple[str, ...]] = ("mosi.safetensors", "mosi.npz", "mosi.pkl")
    _name: ClassVar[str] = "CMU-MOSI"


class MOSEI(_Sentiment):
    """CMU-MOSEI (`Zadeh et al., ACL 2018 <https://aclanthology.org/P18-1208/>`_) from features.

    Ten times as many utterances as :class:`MOSI`, of which all else holds.

    Args:
        root: As of :class:`MOSI`.
        num_classes: 2 or 7, as of :class:`MOSI`.

    Raises:
        FileNotFoundError: If there is none of the files; it says who gives them out.
        FormatError: If anything in the file is wrong, or there are no scores, or others
            than from -3 to 3.
        ValueError: If `num_classes` is neither.
    """

    raw_file_names: ClassVar[tuple[str, ...]] = ("mosei.safetensors", "mosei.npz", "mosei.pkl")
    _name: ClassVar[str] = "CMU-MOSEI"
