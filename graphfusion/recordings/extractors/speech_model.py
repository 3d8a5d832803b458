"""An extractor of pooled hidden states of a speech encoder of the Hugging Face hub."""

from collections.abc import Sequence
from typing import Any

import torch

from graphfusion._utils.extras import require
from graphfusion.recordings.extractors.hub import LOCK, HubModel
from graphfusion.recordings.extractors.protocol import Need
from graphfusion.recordings.segment import Segment

_POOLING = ("mean", "mean+std")


class SpeechModel(HubModel):
    """Pooled hidden states of a speech encoder, for an utterance's sound.

    Supports wav2vec 2.0, HuBERT, WavLM, and other models from samples to hidden states. The sound
    is resampled to the model's rate. Each utterance is encoded separately.

    Args:
        model: The name of a model on the hub, which is downloaded, or a folder.
        pooling: "mean" over time, or "mean+std", the mean and the standard deviation.
        layer: The layer of the hidden states: 0 is the first layer's input, -1 the last one's
            output.
        revision: A branch, tag or commit on the hub. Use a commit for reproducible results.

    Raises:
        ImportError: If transformers is not installed.
        ValueError: If `pooling` or `layer` is invalid.
        OSError: If the model does not exist or cannot be downloaded.
    """

    needs: Need = "audio"

    def __init__(
        self, model: str, pooling: str = "mean", layer: int = -1, revision: str | None = None
    ) -> None:
        require("speech", "extract features of speech")
        if pooling not in _POOLING:
            raise ValueError(f"pooling must be one of {list(_POOLING)}, but got {pooling!r}.")
        options: dict[str, str | int] = {"pooling": pooling, "layer": layer}
        super().__init__(("transformers", "torch"), options, model, revision)
        self.pooling, self.layer = pooling, layer
        config = self.load("AutoModel").config
        size = int(config.num_hidden_layers) + 1
        if not -size <= layer < size:
            raise ValueError(f"layer must be in [{-size}, {size}), but got {layer}.")
        self.dim = int(config.hidden_size) * (2 if pooling == "mean+std" else 1)

    def __call__(self, segments: Sequence[Segment]) -> list[Any]:
        """Returns a vector `[dim]` float32 for each segment's sound."""
        with LOCK, torch.inference_mode():
            return [self._extract_one(segment) for segment in segments]

    def _extract_one(self, segment: Segment) -> Any:
        assert segment.sound is not None  # noqa: S101 - it needs audio
        encoder, prepare = self.load("AutoModel"), self.load("AutoFeatureExtractor")
        rate = int(prepare.sampling_rate)
        samples = segment.sound.resample(rate).samples
        inputs = prepare(samples, sampling_rate=rate, return_tensors="pt")
        (states,) = encoder(**inputs, output_hidden_states=True).hidden_states[self.layer]
        parts = [states.mean(0)]
        if self.pooling == "mean+std":
            parts.append(states.std(0, correction=0))
        return torch.cat(parts).numpy()
