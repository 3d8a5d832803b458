"""MELD: several speakers of a television series, seven emotions."""

from os import PathLike
from typing import ClassVar

import torch

from graphfusion.datasets.corpora._root import load_from, match_classes
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.labels import relabel, translate

_SEVEN = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
_SOURCE = (
    "MELD is given out by its authors (https://affective-meld.github.io/) under the GPL 3.0; the "
    "series belongs to its makers. Features of it are shared by authors of the field, such as "
    "those of MMGCN (https://github.com/hujingwen6666/MMGCN)."
)


class MELD(Corpus):
    """MELD (`Poria et al., ACL 2019 <https://arxiv.org/abs/1810.02508>`_) from features.

    Conversations of up to nine speakers. There are official splits for training ("train"),
    validation ("dev") and test; the pickles of the field hold the first two together as "train".

    The classes are neutral, surprise, fear, sadness, joy, disgust and anger, in this order whatever
    the file's. A pickle does not name them; its labels are taken to number them in this order, as
    the field's scripts say.

    Args:
        root: The folder that holds one of `raw_file_names`, itself or in its subfolder `raw`. The
            pickles are those that :func:`load_pickle` describes.

    Raises:
        FileNotFoundError: If there is none of the files; it says who gives them out.
        FormatError: If anything in the file is wrong, or its classes are others.
    """

    raw_file_names: ClassVar[tuple[str, ...]] = (
        "meld.safetensors",
        "meld.npz",
        "MELD_features_raw1.pkl",
        "MELD_features_raw.pkl",
        "meld_features_roberta.pkl",
        "meld_multimodal_features.pkl",
    )

    def __init__(self, root: str | PathLike[str]) -> None:
        path, corpus = load_from(root, self.raw_file_names, _SOURCE)
        order = torch.tensor(match_classes(path, corpus.classes, _SEVEN))
        splits = relabel(corpus, lambda conversation: translate(conversation.y, order))
        super().__init__(_SEVEN, splits, corpus.extractors)
