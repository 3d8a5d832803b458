"""Loads, validates and saves corpora of conversations with precomputed features.

A feature file holds the utterances of many conversations: feature vectors, speakers and labels.
Files may be untrusted: a reader runs no code from them, and bounds its memory by the file's size.
It returns a consistent :class:`Corpus` or raises :class:`FormatError`. :func:`save` writes the
library's own format; :func:`validate` lists every problem of a file.
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
