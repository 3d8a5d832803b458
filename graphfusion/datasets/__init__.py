"""Feature files: from one that need not be trusted to a :class:`Corpus`, and back.

Each format holds the utterances of many conversations with their feature vectors, speakers and
labels. Whatever a file contains, a reader runs none of it as code, allocates no more than the size
of the file warrants, and either returns a consistent corpus or raises :class:`FormatError`. The
library's own format is :func:`save`'s; :func:`validate` lists everything that is wrong with a file.
"""

from graphfusion.datasets._load import load
from graphfusion.datasets.checks.problems import Problem
from graphfusion.datasets.corpora.iemocap import IEMOCAP
from graphfusion.datasets.corpora.meld import MELD
from graphfusion.datasets.corpora.mosi import MOSEI, MOSI
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.format import load_safetensors, save
from graphfusion.datasets.readers._reading import FormatError
from graphfusion.datasets.readers.npz import load_npz
from graphfusion.datasets.readers.pickles import load_pickle
from graphfusion.datasets.synthetic import SyntheticProcess, synthetic
from graphfusion.datasets.validation import validate

__all__ = [
    "IEMOCAP",
    "MELD",
    "MOSEI",
    "MOSI",
    "Corpus",
    "FormatError",
    "Problem",
    "SyntheticProcess",
    "load",
    "load_npz",
    "load_pickle",
    "load_safetensors",
    "save",
    "synthetic",
    "validate",
]
