"""CMU-MOSI and CMU-MOSEI: people who say what they think of something; two classes or seven."""

from os import PathLike
from typing import ClassVar

from graphfusion.datasets._reading import FormatError
from graphfusion.datasets.corpora._root import load_from
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.labels import relabel
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
        path, corpus = load_from(root, self.raw_file_names, _SOURCE.format(name=self._name))
        if "score" not in corpus.splits["train"][0]:
            raise FormatError(f"{path}: score must be in the file to be cut, but is not.")
        super().__init__(
            SENTIMENTS[num_classes], relabel(corpus, lambda talk: cut(talk.score, num_classes))
        )


class MOSI(_Sentiment):
    """CMU-MOSI (`Zadeh et al., 2016 <https://arxiv.org/abs/1606.06259>`_) from features.

    A conversation is a video, in which one person speaks. Every utterance has a `score` in
    [-3, 3], from which the classes are cut; the file's own labels are not used.

    Two classes: negative (below 0) and positive (above 0); an utterance of score 0 is left out, and
    so is a conversation without any others. Seven classes: highly negative (below -2), negative
    [-2, -1), weakly negative [-1, 0), neutral (0), weakly positive (0, 1], positive (1, 2] and
    highly positive (above 2).

    All modalities of the file are taken over; choose with :meth:`Corpus.select`. The text features
    released with bc-LSTM were trained on the labels of the training videos, so that a validation
    set cut from these looks near perfect: do not use them where an epoch is to be picked.

    Args:
        root: The folder that holds one of `raw_file_names`, itself or in its subfolder `raw`. An
            archive has the array `score`; a pickle is a tuple as :func:`load_pickle` describes,
            with the scores as labels.
        num_classes: 2 or 7.

    Raises:
        FileNotFoundError: If there is none of the files; it says who gives them out.
        FormatError: If anything in the file is wrong, or there are no scores.
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
        FormatError: If anything in the file is wrong, or there are no scores.
        ValueError: If `num_classes` is neither.
    """

    raw_file_names: ClassVar[tuple[str, ...]] = ("mosei.safetensors", "mosei.npz", "mosei.pkl")
    _name: ClassVar[str] = "CMU-MOSEI"
