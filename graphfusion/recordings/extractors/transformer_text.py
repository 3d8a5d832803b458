"""An extractor of pooled hidden states of a text encoder of the Hugging Face hub."""

from collections.abc import Sequence
from typing import Any

from graphfusion._utils.extras import require
from graphfusion.recordings.extractors.hub import (
    LOCK,
    load_encoder,
    load_tokenizer,
    model_digest,
    model_folder,
)
from graphfusion.recordings.extractors.protocol import Need
from graphfusion.recordings.fingerprint import make_fingerprint
from graphfusion.recordings.segment import Segment

_POOLING = ("mean", "first")


class TransformerText:
    """Pooled last hidden states of a text encoder, for an utterance's text.

    Each utterance is encoded separately, so its vector does not depend on the others.

    Args:
        model: The name of a model on the hub, which is downloaded, or a folder.
        pooling: "mean" over the tokens, or the "first" token (BERT's `[CLS]`, RoBERTa's `<s>`).
        revision: A branch, tag or commit on the hub. Use a commit for reproducible results.

    Raises:
        ImportError: If transformers is not installed.
        ValueError: If `pooling` is invalid.
        OSError: If the model does not exist or cannot be downloaded.
    """

    needs: Need = "text"

    def __init__(self, model: str, pooling: str, revision: str | None = None) -> None:
        require("text", "extract features of text")
        if pooling not in _POOLING:
            raise ValueError(f"pooling must be one of {list(_POOLING)}, but got {pooling!r}.")
        self.folder, self.revision = model_folder(model, revision)
        self.digest = model_digest(self.folder)
        self.model, self.pooling = model, pooling
        self.dim = int(load_encoder(self.folder, self.digest).config.hidden_size)
        self.fingerprint = make_fingerprint(
            "TransformerText",
            {"pooling": pooling},
            ("transformers", "torch"),
            self.digest,
            model=model,
            revision=self.revision,
        )

    def __call__(self, segments: Sequence[Segment]) -> list[Any]:
        """Returns a vector `[dim]` float32 for each segment's text."""
        import torch

        with LOCK, torch.inference_mode():
            return [self._extract_one(segment.text) for segment in segments]

    def _extract_one(self, text: str | None) -> Any:
        source = self.folder, self.digest
        encoder, tokenizer = load_encoder(*source), load_tokenizer(*source)
        # Longer texts are truncated to the model's maximum length.
        longest = min(tokenizer.model_max_length, encoder.config.max_position_embeddings - 2)
        tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=longest)
        (states,) = encoder(**tokens).last_hidden_state
        return (states[0] if self.pooling == "first" else states.mean(0)).numpy()

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.model!r}, {self.pooling!r}, revision={self.revision!r})"
        )
