"""The MELD data set: multi-party conversations of a television series, with seven emotions."""

from os import PathLike
from typing import ClassVar

import torch

from graphfusion.datasets.corpora._root import load_from, match_classes
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.labels import relabel, translate

_SEVEN = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
_SOURCE = (
    "MELD is distributed by its authors (https://affective-meld.github.io/) under the GPL 3.0; the "
    "series belongs to its producers. Features are published with research code, such as that of "
    "MMGCN (https://github.com/hujingwen6666/MMGCN)."
)


class MELD(Corpus):
    """MELD (`Poria et al., ACL 2019 <https://arxiv.org/abs/1810.02508>`_) as features.

    Conversations have up to nine speakers. There are official splits for training ("train"),
    validation ("dev") and test. Published pickles merge the first two into "train".

    The classes are neutral, surprise, fear, sadness, joy, disgust and anger, in this order
    regardless of the file. Pickles do not name the classes; their labels are assumed to number them
    in this order, as in published research code.

    Args:
        root: The folder that contains one of `raw_file_names`, directly or in its subfolder `raw`.
            See :func:`load_pickle` for the layouts of pickles.

    Raises:
        FileNotFoundError: If none of the files exists; the message names who distributes them.
        FormatError: If the file is invalid, or has other classes.
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
