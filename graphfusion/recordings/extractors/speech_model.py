"""An extractor of pooled hidden states of a speech encoder of the Hugging Face hub."""

from collections.abc import Sequence
from typing import Any

from graphfusion._utils.extras import require
from graphfusion.recordings.extractors.hub import (
    LOCK,
    load_encoder,
    load_feature_extractor,
    model_digest,
    model_folder,
)
from graphfusion.recordings.extractors.protocol import Absent, Need
from graphfusion.recordings.fingerprint import make_fingerprint
from graphfusion.recordings.segment import Segment

_POOLING = ("mean", "mean+std")


class SpeechModel:
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
        self.folder, self.revision = model_folder(model, revision)
        self.digest = model_digest(self.folder)
        self.model, self.pooling, self.layer = model, pooling, layer
        config = load_encoder(self.folder, self.digest).config
        size = int(config.num_hidden_layers) + 1
        if not -size <= layer < size:
            raise ValueError(f"layer must be in [{-size}, {size}), but got {layer}.")
        self.dim = int(config.hidden_size) * (2 if pooling == "mean+std" else 1)
        self.fingerprint = make_fingerprint(
            "SpeechModel",
            {"pooling": pooling, "layer": layer},
            ("transformers", "torch"),
            self.digest,
            model=model,
            revision=self.revision,
        )

    def __call__(self, segments: Sequence[Segment]) -> list[Any]:
        """Returns a vector `[dim]` float32 for each segment's sound, or `Absent` if too short."""
        import torch

        with LOCK, torch.inference_mode():
            return [self._extract_one(segment) for segment in segments]

    def _extract_one(self, segment: Segment) -> Any:
        import torch

        assert segment.sound is not None  # noqa: S101 - it needs audio
        source = self.folder, self.digest
        encoder, prepare = load_encoder(*source), load_feature_extractor(*source)
        rate = int(prepare.sampling_rate)
        samples = segment.sound.resample(rate).samples
        inputs = prepare(samples, sampling_rate=rate, return_tensors="pt")
        (states,) = encoder(**inputs, output_hidden_states=True).hidden_states[self.layer]
        if len(states) == 0:
            return Absent("too short for the speech model")
        parts = [states.mean(0)]
        if self.pooling == "mean+std":
            parts.append(states.std(0, correction=0))
        return torch.cat(parts).numpy()

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.model!r}, {self.pooling!r}, layer={self.layer}, "
            f"revision={self.revision!r})"
        )
