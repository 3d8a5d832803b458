"""Built-in extractors: one feature vector per segment of text, audio or video."""

from collections.abc import Callable
from pathlib import Path

from graphfusion.recordings.extractors.face_landmarks import FaceLandmarks
from graphfusion.recordings.extractors.faces import Faces
from graphfusion.recordings.extractors.opensmile import OpenSmile
from graphfusion.recordings.extractors.protocol import Extractor
from graphfusion.recordings.extractors.sentence_text import SentenceText
from graphfusion.recordings.extractors.speech_model import SpeechModel
from graphfusion.recordings.extractors.transformer_text import TransformerText
from graphfusion.recordings.fingerprint import Fingerprint, constructor_arguments

#: The extractors that can be created from a fingerprint.
BUILT_IN: dict[str, Callable[..., Extractor]] = {
    each.__name__: each
    for each in (OpenSmile, SentenceText, TransformerText, SpeechModel, Faces, FaceLandmarks)
}


def rebuild(modality: str, fingerprint: Fingerprint) -> Extractor:
    """Creates a built-in extractor from its fingerprint.

    Only built-in extractors are created, so that no code named by a file is run.

    Args:
        modality: The name of the modality, for the error message.
        fingerprint: The fingerprint of the extractor.

    Raises:
        ValueError: If the extractor is not built in.
        OSError: If its model cannot be found. Where it was a folder or a file, there must be one:
            no repository of that name is downloaded.
    """
    kind = fingerprint.get("extractor")
    if kind not in BUILT_IN:
        raise ValueError(
            f"extractors must be given for {modality!r}, whose features were made by {kind!r}, "
            "which is not built in."
        )
    model, revision = fingerprint.get("model"), fingerprint.get("revision")
    if model is not None and revision is None and not Path(model).exists():  # none of the hub
        raise FileNotFoundError(
            f"extractors must be given for {modality!r}: its model was in {model}, but "
            f"nothing is there now (in {Path.cwd()}). In a shell, --text, --audio or --video names "
            "it, as in `extract`."
        )
    return BUILT_IN[kind](**constructor_arguments(fingerprint))
