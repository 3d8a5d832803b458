"""An extractor of sentence embeddings by sentence-transformers."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from graphfusion._utils.extras import require
from graphfusion.recordings.extractors.hub import LOCK, check_unchanged, model_digest, model_folder
from graphfusion.recordings.extractors.protocol import Need
from graphfusion.recordings.fingerprint import make_fingerprint
from graphfusion.recordings.segment import Segment


class SentenceText:
    """Sentence embeddings of an utterance's text, by a model of sentence-transformers.

    Args:
        model: The name of a model on the hub, which is downloaded, or a folder.
        revision: A branch, tag or commit on the hub. Use a commit for reproducible results.

    Raises:
        ImportError: If sentence-transformers is not installed.
        OSError: If the model does not exist or cannot be downloaded.

    References:
        Reimers, Gurevych: *Sentence-BERT*, EMNLP 2019.
    """

    needs: Need = "text"

    def __init__(self, model: str, revision: str | None = None) -> None:
        require("text", "extract features of text")
        self.folder, self.revision = model_folder(model, revision)
        self.model = model
        self.digest = model_digest(self.folder)
        self.fingerprint = make_fingerprint(
            "SentenceText",
            {},
            ("sentence-transformers", "transformers", "torch"),
            self.digest,
            model=model,
            revision=self.revision,
        )
        with LOCK:
            self.dim = int(_encoder(self.folder, self.digest).get_embedding_dimension())

    def __call__(self, segments: Sequence[Segment]) -> list[Any]:
        """Returns a vector `[dim]` float32 for each segment's text."""
        texts = [segment.text for segment in segments]
        with LOCK:
            return list(_encoder(self.folder, self.digest).encode(texts, show_progress_bar=False))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r}, revision={self.revision!r})"


@lru_cache(maxsize=2)
def _encoder(folder: Path, digest: str) -> Any:
    check_unchanged(folder, digest)
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
