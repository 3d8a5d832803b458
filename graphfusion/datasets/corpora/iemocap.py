"""The IEMOCAP data set: dyadic conversations of ten actors, with six or four emotions."""

from os import PathLike
from typing import ClassVar

import torch

from graphfusion._utils.checks import check_bool
from graphfusion.data.labels import MISSING
from graphfusion.datasets.corpora._root import load_from, match_classes
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.labels import LEAVE_OUT, relabel, translate

_SIX = ("happy", "sad", "neutral", "angry", "excited", "frustrated")
_FOUR = _SIX[:4]
_EXCITED, _FRUSTRATED = 4, 5
_SOURCE = (
    "IEMOCAP is distributed by the University of Southern California to those who sign its release "
    "form (https://sail.usc.edu/iemocap/). Features are published with research code, such as that "
    "of MMGCN (https://github.com/hujingwen6666/MMGCN); the same terms apply."
)


class IEMOCAP(Corpus):
    """IEMOCAP (`Busso et al., 2008 <https://doi.org/10.1007/s10579-008-9076-6>`_) as features.

    Each conversation has two speakers. By convention, sessions 1 to 4 are for training and session
    5 is for testing. There is no official validation split.

    Six classes: happy, sad, neutral, angry, excited and frustrated, in this order regardless of the
    file. Pickles do not name the classes; their labels are assumed to number them in this order, as
    in published research code. Four classes: happy (including excited), sad, neutral and angry.
    Frustrated utterances, and conversations without any others, are then removed; `keep_context`
    keeps them without a label.

    Args:
        root: The folder that contains one of `raw_file_names`, directly or in its subfolder `raw`.
            See :func:`load_pickle` for the layouts of pickles.
        num_classes: 6 or 4.
        keep_context: Whether to keep frustrated utterances without a label (`y` is -100) if there
            are four classes.

    Raises:
        FileNotFoundError: If none of the files exists; the message names who distributes them.
        FormatError: If the file is invalid, or has other classes.
        TypeError: If `keep_context` is not a bool.
        ValueError: If `num_classes` is neither 6 nor 4.
    """

    raw_file_names: ClassVar[tuple[str, ...]] = (
        "iemocap6.safetensors",
        "iemocap6.npz",
        "IEMOCAP_features.pkl",
        "IEMOCAP_features_raw.pkl",
        "iemocap_features_roberta.pkl",
        "iemocap_multimodal_features.pkl",
    )

    def __init__(
        self, root: str | PathLike[str], num_classes: int = 6, keep_context: bool = False
    ) -> None:
        if num_classes not in (6, 4):
            raise ValueError(f"num_classes must be 6 or 4, but got {num_classes!r}.")
        check_bool("keep_context", keep_context)
        path, corpus = load_from(root, self.raw_file_names, _SOURCE)
        order = torch.tensor(match_classes(path, corpus.classes, _SIX))
        if num_classes == 4:
            order[order == _EXCITED] = _SIX.index("happy")
            order[order == _FRUSTRATED] = MISSING if keep_context else LEAVE_OUT
        classes = _SIX if num_classes == 6 else _FOUR
        splits = relabel(corpus, lambda each: translate(each.y, order))
        super().__init__(classes, splits, corpus.extractors)
