"""An extractor of sentence embeddings by sentence-transformers."""

from collections.abc import Sequence
from typing import Any

from graphfusion._utils.extras import require
from graphfusion.recordings.extractors.hub import LOCK, HubModel
from graphfusion.recordings.extractors.protocol import Need
from graphfusion.recordings.segment import Segment


class SentenceText(HubModel):
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
        packages = ("sentence-transformers", "transformers", "torch")
        super().__init__(packages, {}, model, revision)
        with LOCK:
            self.dim = int(self.load("SentenceTransformer").get_embedding_dimension())

    def __call__(self, segments: Sequence[Segment]) -> list[Any]:
        """Returns a vector `[dim]` float32 for each segment's text."""
        texts = [segment.text for segment in segments]
        with LOCK:
            return list(self.load("SentenceTransformer").encode(texts, show_progress_bar=False))
