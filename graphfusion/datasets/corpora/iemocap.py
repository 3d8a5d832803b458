"""IEMOCAP: ten actors in pairs, six emotions or four."""

from os import PathLike
from typing import ClassVar

import torch

from graphfusion.datasets.corpora._root import load_from, match_classes
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.labels import relabel

_SIX = ("happy", "sad", "neutral", "angry", "excited", "frustrated")
_FOUR = _SIX[:4]
_MERGED = torch.tensor([0, 1, 2, 3, 0, -1])  # excited is happy, frustrated is nothing
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
    frustrated are left out, and so is a conversation without any others.

    Args:
        root: The folder that holds one of `raw_file_names`, itself or in its subfolder `raw`. The
            pickles are tuples as :func:`load_pickle` describes; those of twelve elements, with four
            vectors of text an utterance, are not read.
        num_classes: 6 or 4.

    Raises:
        FileNotFoundError: If there is none of the files; it says who gives them out.
        FormatError: If anything in the file is wrong, or its classes are others.
        ValueError: If `num_classes` is neither.
    """

    raw_file_names: ClassVar[tuple[str, ...]] = (
        "iemocap6.safetensors",
        "iemocap6.npz",
        "IEMOCAP_features.pkl",
        "IEMOCAP_features_raw.pkl",
    )

    def __init__(self, root: str | PathLike[str], num_classes: int = 6) -> None:
        if num_classes not in (6, 4):
            raise ValueError(f"num_classes must be 6 or 4, but got {num_classes!r}.")
        path, corpus = load_from(root, self.raw_file_names, _SOURCE)
        order = torch.tensor(match_classes(path, corpus.classes, _SIX))
        if num_classes == 4:
            order = _MERGED[order]
        classes = _SIX if num_classes == 6 else _FOUR
        super().__init__(classes, relabel(corpus, lambda talk: order[talk.y]))
