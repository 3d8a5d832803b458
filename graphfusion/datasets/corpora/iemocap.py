"""IEMOCAP: ten actors in pairs, six emotions or four."""

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
    "IEMOCAP belongs to the University of Southern California, which gives it to those who sign "
    "its release form (https://sail.usc.edu/iemocap/). Features of it are shared by authors of the "
    "field, such as those of MMGCN (https://github.com/hujingwen6666/MMGCN); the same terms hold."
)


class IEMOCAP(Corpus):
    """IEMOCAP (`Busso et al., 2008 <https://doi.org/10.1007/s10579-008-9076-6>`_) from features.

    Conversations of two actors each. The field trains on sessions 1 to 4 and tests on session 5,
    and has no official validation split.

    Six classes: happy, sad, neutral, angry, excited, frustrated, in this order whatever the file's.
    A pickle does not name them; its labels are taken to number them in this order, as the field's
    scripts say. Four classes: happy (with the excited), sad, neutral, angry; utterances of the
    frustrated are left out, and so is a conversation without any others, unless they are kept as
    context, without a label.

    Args:
        root: The folder that holds one of `raw_file_names`, itself or in its subfolder `raw`. The
            pickles are those that :func:`load_pickle` describes.
        num_classes: 6 or 4.
        keep_context: Whether four classes keep the utterances of the frustrated, without a label
            (`y` is -100).

    Raises:
        FileNotFoundError: If there is none of the files; it says who gives them out.
        FormatError: If anything in the file is wrong, or its classes are others.
        TypeError: If `keep_context` is not a bool.
        ValueError: If `num_classes` is neither.
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
