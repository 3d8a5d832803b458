"""An extractor of pooled hidden states of a text encoder of the Hugging Face hub."""

from collections.abc import Sequence
from typing import Any

import torch

from graphfusion._utils.extras import require
from graphfusion.recordings.extractors.hub import LOCK, HubModel
from graphfusion.recordings.extractors.protocol import Need
from graphfusion.recordings.segment import Segment

_POOLING = ("mean", "first")


class TransformerText(HubModel):
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
        super().__init__(("transformers", "torch"), {"pooling": pooling}, model, revision)
        self.pooling = pooling
        self.dim = int(self.load("AutoModel").config.hidden_size)

    def __call__(self, segments: Sequence[Segment]) -> list[Any]:
        """Returns a vector `[dim]` float32 for each segment's text."""
        with LOCK, torch.inference_mode():
            return [self._extract_one(segment.text) for segment in segments]

    def _extract_one(self, text: str | None) -> Any:
        encoder, tokenizer = self.load("AutoModel"), self.load("AutoTokenizer")
        # Longer texts are truncated to the model's maximum length.
        longest = tokenizer.model_max_length
        positions = getattr(encoder.config, "max_position_embeddings", None)
        if positions is not None and positions > 0:  # of XLNet, it is -1
            longest = min(longest, positions - 2)
        limit = {"truncation": True, "max_length": longest} if longest < 2**31 else {}
        tokens = tokenizer(text, return_tensors="pt", **limit)
        (states,) = encoder(**tokens).last_hidden_state
        return (states[0] if self.pooling == "first" else states.mean(0)).numpy()
