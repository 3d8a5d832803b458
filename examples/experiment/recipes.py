"""How each model is made and trained."""

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from graphfusion import MMDFN
from graphfusion._utils.checks import check_real, check_size


@dataclass(frozen=True)
class Recipe:
    """Everything that a run needs to know but data and seed.

    Attributes:
        lr: Learning rate of Adam.
        weight_decay: L2 penalty.
        gamma: Focusing exponent of the focal loss.
        class_weights: Power of one over a class's frequency that weighs it in the loss; 0: none.
        batch_size: The most conversations in a step.
        average: Decay of the running mean of the weights, whose scores count; 0: none is kept.
        modality_dropout: Probability of dropping a modality of an utterance in training.
        drop_features: Probability of dropping a standardised feature in training.
        model: Arguments of the model.

    Raises:
        TypeError: If `batch_size` is not an integer, or another of these is not a number.
        ValueError: If one of them is out of its range.
    """

    lr: float
    weight_decay: float
    gamma: float
    class_weights: float
    batch_size: int = 32
    average: float = 0.0
    modality_dropout: float = 0.0
    drop_features: float = 0.0
    model: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("lr", "weight_decay", "gamma", "class_weights"):
            check_real(name, getattr(self, name), 0)
        check_size("batch_size", self.batch_size)
        check_real("average", self.average, 0, 1)
        check_real("modality_dropout", self.modality_dropout, 0, 1)
        check_real("drop_features", self.drop_features, 0, 1)

    def change(self, settings: Mapping[str, Any]) -> "Recipe":
        """The recipe with other settings, the model's arguments among them."""
        trained = _of_training(settings)
        model = {key: value for key, value in settings.items() if key not in trained}
        return replace(self, **trained, model=self.model | model)

    def as_dict(self) -> dict[str, Any]:
        """All settings, as JSON has them."""
        return asdict(self)


OF_TRAINING = {each.name for each in fields(Recipe)} - {"model"}
OF_ANY = OF_TRAINING | {
    "speaker_normalized",
    "utterance_channels",
}  # the baselines may have them, too
# The others are the data's.
OF_MODEL = set(inspect.signature(MMDFN).parameters) - {"in_channels", "num_classes", "class_names"}


def _of_training(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key in OF_TRAINING}


# How the model's presets of the same names are trained: as published (MM-DFN, section on
# experiments), or as cross-validation chose.
RECIPES = {
    "iemocap": Recipe(lr=3e-4, weight_decay=1e-4, gamma=0.5, class_weights=1.0),
    "meld": Recipe(lr=5e-4, weight_decay=1e-4, gamma=0.5, class_weights=0.0),
}
RECIPES["iemocap_tuned"] = RECIPES["iemocap"].change({"batch_size": 8, "average": 0.97})
RECIPES["meld_tuned"] = RECIPES["meld"].change(
    {"class_weights": 0.25, "average": 0.98, "drop_features": 0.5}
)

# What each model changes about MM-DFN.
ABLATIONS: dict[str, dict[str, Any]] = {
    "mmdfn": {},
    "static": {"gated": False},
    "no_graph": {
        "past": 0,
        "future": 0,
        "cross_weight": 0.0,
    },  # every node joined with itself alone
    "no_speaker": {"speaker_weights": 0},
    "zero_filled": {},  # its encoder and its graph do not see the mask
}

BASELINES = {
    "bigru": Recipe(lr=2e-3, weight_decay=1e-4, gamma=0.0, class_weights=0.0),
    "logistic": Recipe(lr=3e-3, weight_decay=1e-5, gamma=0.0, class_weights=0.0),
}

MODELS = (*ABLATIONS, *BASELINES)


def recipe_of(model: str, preset: str, settings: Mapping[str, Any]) -> Recipe:
    """The recipe of a model: the preset's with what the model changes, or the baseline's own.

    Other settings of training, `speaker_normalized` and `utterance_channels` are any model's, other
    arguments of the model for MM-DFN alone.

    Raises:
        TypeError: If a setting of training is not of its type.
        ValueError: If it is not in its range, or a setting is neither of training nor of MM-DFN.
    """
    unknown = settings.keys() - OF_TRAINING - OF_MODEL
    if unknown:
        raise ValueError(
            f"settings must be of training ({', '.join(sorted(OF_TRAINING))}) or of MM-DFN "
            f"({', '.join(sorted(OF_MODEL))}), but got {', '.join(sorted(unknown))}."
        )
    if model in BASELINES:
        return BASELINES[model].change({key: settings[key] for key in settings.keys() & OF_ANY})
    return RECIPES[preset].change(settings).change(ABLATIONS[model])
