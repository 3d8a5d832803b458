"""Extractors: a feature vector for each segment of text, sound or video."""

from collections.abc import Callable

from graphfusion.recordings.extractors.faces import Faces
from graphfusion.recordings.extractors.opensmile import OpenSmile
from graphfusion.recordings.extractors.protocol import Extractor
from graphfusion.recordings.extractors.sentence_text import SentenceText
from graphfusion.recordings.extractors.speech_model import SpeechModel
from graphfusion.recordings.extractors.transformer_text import TransformerText
from graphfusion.recordings.fingerprint import Fingerprint

#: Those that a fingerprint is enough to make.
BUILT_IN: dict[str, Callable[..., Extractor]] = {
    "OpenSmile": OpenSmile,
    "SentenceText": SentenceText,
    "TransformerText": TransformerText,
    "SpeechModel": SpeechModel,
    "Faces": Faces,
}


def rebuild(modality: str, fingerprint: Fingerprint) -> Extractor:
    """Makes the extractor that a fingerprint is of.

    Only ours are made, by name: no code is run that a file names.

    Args:
        modality: Whose it is, for the error.
        fingerprint: What its `fingerprint` was.

    Raises:
        ValueError: If it is none of ours.
        OSError: If its model is not to be found.
    """
    kind = fingerprint.get("extractor")
    if kind not in BUILT_IN:
        raise ValueError(
            f"extractors must be given for {modality!r}, whose features were made by {kind!r}, "
            "which is none of graphfusion's."
        )
    source = {name: fingerprint[name] for name in ("model", "revision") if name in fingerprint}
    return BUILT_IN[kind](**source, **fingerprint.get("options", {}))
