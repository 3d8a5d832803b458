"""Training settings."""

from dataclasses import dataclass
from typing import Any, Self

from graphfusion._utils.checks import check_bool, check_real, check_size
from graphfusion.models.presets import PRESETS


@dataclass(frozen=True)
class Settings:
    """Training settings of any model.

    Use :meth:`from_preset` for those of a preset.

    Args:
        lr: Learning rate of Adam.
        weight_decay: L2 penalty.
        gamma: Focusing exponent of the focal loss, for classification.
        class_weights: Exponent p of the class weights `(1 / frequency) ** p` of that loss; 0: no
            class weights.
        batch_size: Maximum number of conversations in a step.
        average: Decay of an exponential moving average of the weights, which is then scored and
            saved; 0: no averaging.
        modality_dropout: Probability of dropping a modality of an utterance.
        drop_features: Probability of dropping a standardised feature.
        autocast: Whether training steps use bfloat16 autocast. Weights, losses and scores stay
            float32. Results then depend on the processor; one without bfloat16 instructions is
            several times slower.
        epochs: Maximum number of epochs.
        patience: Number of epochs without a better held-out score after which training stops; None:
            no early stopping.
        sentiment: Whether scores are sentiment, from -3 to 3, and are also evaluated as two and as
            seven classes.

    Raises:
        TypeError: If a setting has the wrong type.
        ValueError: If a setting is out of range.

    Example:
        >>> from graphfusion.training import Settings
        >>> Settings.from_preset("meld", epochs=10).lr
        0.0005
    """

    lr: float = 3e-4
    weight_decay: float = 1e-4
    gamma: float = 0.5
    class_weights: float = 0.0
    batch_size: int = 32
    average: float = 0.0
    modality_dropout: float = 0.0
    drop_features: float = 0.0
    autocast: bool = False
    epochs: int = 30
    patience: int | None = None
    sentiment: bool = False

    def __post_init__(self) -> None:
        for name in ("lr", "weight_decay", "gamma", "class_weights"):
            check_real(name, getattr(self, name), 0)
        for name in ("average", "modality_dropout", "drop_features"):
            check_real(name, getattr(self, name), 0, 1)
        check_size("batch_size", self.batch_size)
        check_size("epochs", self.epochs)
        if self.patience is not None:
            check_size("patience", self.patience)
        check_bool("autocast", self.autocast)
        check_bool("sentiment", self.sentiment)

    @classmethod
    def from_preset(cls, preset: str, **changes: Any) -> Self:
        """Creates the training settings of a preset of :meth:`MMDFN.from_preset`.

        Args:
            preset: "iemocap", "meld", "mosi", "iemocap_speaker_normalized",
                "iemocap_regularized" or "meld_regularized".
            **changes: Settings that replace the preset's.

        Raises:
            ValueError: If there is no such preset.
            TypeError: If there is no such setting.
        """
        if preset not in PRESETS:
            raise ValueError(f"preset must be one of {sorted(PRESETS)}, but got {preset!r}.")
        return cls(**{**PRESETS[preset].training, **changes})
