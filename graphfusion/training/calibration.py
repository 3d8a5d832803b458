"""Calibration: temperature scaling, and prediction sets with a given coverage."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics.functional.classification import multiclass_calibration_error

from graphfusion._utils.checks import check_real, check_tensor

#: How often a prediction set is to hold the true class.
COVERAGE = 0.9
_TEMPERATURES = torch.logspace(-1, 1, 401, dtype=torch.float64)


@dataclass(frozen=True)
class Calibration:
    """What held-out predictions say of how far probabilities can be trusted.

    Args:
        temperature: What divides the logits (Guo et al., ICML 2017).
        threshold: The least probability, after division, of a class in a prediction set: split
            conformal prediction (Sadinle et al., JASA 2019).

    Raises:
        TypeError: If one is not a number.
        ValueError: If the temperature is not positive, or the threshold not in [0, 1].

    Example:
        >>> import torch
        >>> from graphfusion.training import Calibration
        >>> probability = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], dtype=torch.float64)
        >>> calibration = Calibration.fit(probability, torch.tensor([0, 1, 1]))
        >>> calibration.sets(probability).tolist()
        [[True, True], [True, True], [True, True]]
    """

    temperature: float
    threshold: float

    def __post_init__(self) -> None:
        check_real("temperature", self.temperature, 1e-6)
        check_real("threshold", self.threshold, 0, 1)

    @classmethod
    def fit(cls, probability: Tensor, label: Tensor, coverage: float = COVERAGE) -> "Calibration":
        """Chooses both on held-out utterances.

        Args:
            probability: `[N, K]` float, of utterances that the model was not trained on.
            label: `[N]` int64.
            coverage: How often a set is to hold the true class, in (0, 1). It does on average over
                utterances that are exchangeable with these; those of other speakers need not be.

        Raises:
            TypeError: If `label` is not int64.
            ValueError: If there is no utterance, or `label` is not one class each.
        """
        check_tensor("label", label, [len(probability)], torch.int64)
        if not len(label):
            raise ValueError("label must have an utterance, but is empty.")
        logits = probability.double().clamp_min(1e-12).log()
        losses = torch.stack([cross_entropy(logits / each, label) for each in _TEMPERATURES])
        temperature = float(_TEMPERATURES[losses.argmin()])
        true = (logits / temperature).softmax(1).gather(1, label.unsqueeze(1)).squeeze(1)
        left_out = math.floor((1 - coverage) * (len(label) + 1))
        # With fewer than 1 / (1 - coverage) utterances, nothing may be left out.
        threshold = float(true.sort().values[left_out - 1]) if left_out else 0.0
        return cls(temperature, threshold)

    def scale(self, probability: Tensor) -> Tensor:
        """Calibrated probabilities `[N, K]`; the most probable class stays the same."""
        return (probability.double().clamp_min(1e-12).log() / self.temperature).softmax(1)

    def sets(self, probability: Tensor) -> Tensor:
        """`[N, K]` bool, which classes are in the prediction set of each utterance."""
        return self.scale(probability) >= self.threshold

    def apply(self, table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
        """Calibrates a table of predictions.

        Args:
            table: As of :func:`graphfusion.training.predict`, with a column for each class.
            classes: The names of the classes.

        Returns:
            A copy with calibrated probabilities, and a last column `set`: the classes of each
            utterance's prediction set, joined by "+"; empty if none is probable enough.

        Raises:
            ValueError: If a class has no column, or one is called "set".
        """
        names = list(classes)
        if missing := [name for name in names if name not in table]:
            raise ValueError(f"table must have a column for each class, but lacks {missing}.")
        if "set" in table:
            raise ValueError("table must have no column 'set' yet, but has one.")
        # Of columns in another order, pandas gives a view with negative strides.
        probability = torch.tensor(np.ascontiguousarray(table[names].to_numpy(dtype=float)))
        held = self.sets(probability).tolist()
        out = table.copy()
        out[names] = self.scale(probability).numpy()
        out["set"] = ["+".join(np.array(names)[row].tolist()) for row in held]
        return out

    def measure(self, probability: Tensor, label: Tensor) -> dict[str, float]:
        """How well that holds on other utterances.

        Returns:
            `error` and `error scaled`, the expected calibration error in ten bins of the
            probabilities as they are and calibrated; `coverage`, how often a set holds the true
            class; and `set size`, how many classes it has on average.
        """
        sizes, sets = probability.size(1), self.sets(probability)

        def error(values: Tensor) -> float:
            return float(multiclass_calibration_error(values, label, sizes, n_bins=10))

        return {
            "error": error(probability),
            "error scaled": error(self.scale(probability)),
            "coverage": float(sets.gather(1, label.unsqueeze(1)).double().mean()),
            "set size": float(sets.sum(1).double().mean()),
        }
