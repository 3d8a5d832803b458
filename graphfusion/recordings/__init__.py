"""Extracts features from audio, video and transcripts, and predicts new recordings.

:func:`extract` converts a table with one row per utterance to a corpus, with one extractor per
modality. A :class:`Recognizer` predicts a new recording with the extractors that its model was
trained with. Extractors wrap third-party packages and models.
"""

from graphfusion.recordings.checks import check_table
from graphfusion.recordings.extract import extract
from graphfusion.recordings.extractors.face_landmarks import FaceLandmarks
from graphfusion.recordings.extractors.faces import Faces
from graphfusion.recordings.extractors.opensmile import OpenSmile
from graphfusion.recordings.extractors.protocol import Absent, Extractor, per_segment
from graphfusion.recordings.extractors.sentence_text import SentenceText
from graphfusion.recordings.extractors.speech_model import SpeechModel
from graphfusion.recordings.extractors.transformer_text import TransformerText
from graphfusion.recordings.importers.elan import read_elan
from graphfusion.recordings.importers.iemocap import read_iemocap
from graphfusion.recordings.importers.meld import read_meld
from graphfusion.recordings.importers.mmsa import read_mmsa
from graphfusion.recordings.importers.rttm import read_rttm
from graphfusion.recordings.importers.subtitles import read_subtitles
from graphfusion.recordings.importers.textgrid import read_textgrid
from graphfusion.recordings.jobs import ExtractionError
from graphfusion.recordings.problems import TableError
from graphfusion.recordings.recognizer import Recognizer
from graphfusion.recordings.segment import Segment, Sound
from graphfusion.recordings.table import read_table

__all__ = [
    "Absent",
    "ExtractionError",
    "Extractor",
    "FaceLandmarks",
    "Faces",
    "OpenSmile",
    "Recognizer",
    "Segment",
    "SentenceText",
    "Sound",
    "SpeechModel",
    "TableError",
    "TransformerText",
    "check_table",
    "extract",
    "per_segment",
    "read_elan",
    "read_iemocap",
    "read_meld",
    "read_mmsa",
    "read_rttm",
    "read_subtitles",
    "read_table",
    "read_textgrid",
]
