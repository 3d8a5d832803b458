"""Calibration of probabilities: temperature scaling, and prediction sets with given coverage."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics.functional.classification import multiclass_calibration_error

from graphfusion._utils.checks import all_finite, check_range, check_real, check_tensor

#: The share of prediction sets that should contain the true class.
COVERAGE = 0.9
_TEMPERATURES = torch.logspace(-1, 1, 401, dtype=torch.float64)


@dataclass(frozen=True)
class Calibration:
    """A temperature and a threshold of prediction sets, fitted on held-out predictions.

    Args:
        temperature: The divisor of the logits (temperature scaling; Guo et al., ICML 2017).
        threshold: The minimum calibrated probability of a class in a prediction set (split
            conformal prediction; Sadinle et al., JASA 2019).

    Raises:
        TypeError: If an argument is not a number.
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
        """Fits the temperature and the threshold on held-out utterances.

        Args:
            probability: `[N, K]` float, predicted for utterances that the model was not trained on.
            label: `[N]` int64.
            coverage: The share of prediction sets that should contain the true class, in (0, 1). It
                is guaranteed only for utterances exchangeable with these, which those of other
                speakers may not be.

        Raises:
            TypeError: If `label` is not int64.
            ValueError: If there is no utterance, `label` does not have shape `[N]` or is not in
                [0, K), a probability is not finite, or `coverage` is not in (0, 1).
        """
        check_real("coverage", coverage, 0, 1)
        if coverage in (0, 1):
            raise ValueError(f"coverage must be between 0 and 1, but got {coverage}.")
        check_tensor("label", label, [len(probability)], torch.int64)
        if not len(label):
            raise ValueError("label must have an utterance, but is empty.")
        check_range("label", label.cpu(), probability.size(1))
        if not all_finite(probability):
            raise ValueError("probability must be finite, but has NaN or infinity.")
        logits = probability.double().clamp_min(1e-12).log()
        losses = torch.stack([cross_entropy(logits / each, label) for each in _TEMPERATURES])
        temperature = float(_TEMPERATURES[losses.argmin()])
        true = (logits / temperature).softmax(1).gather(1, label.unsqueeze(1)).squeeze(1)
        # Rounded, for 0.9 * 10 is not quite 9.
        left_out = len(label) + 1 - math.ceil(round(coverage * (len(label) + 1), 9))
        # With fewer than 1 / (1 - coverage) utterances, only sets of all classes guarantee it.
        threshold = float(true.sort().values[left_out - 1]) if left_out else 0.0
        return cls(temperature, threshold)

    def scale(self, probability: Tensor) -> Tensor:
        """Returns calibrated probabilities `[N, K]`; the most probable class does not change."""
        return (probability.double().clamp_min(1e-12).log() / self.temperature).softmax(1)

    def sets(self, probability: Tensor) -> Tensor:
        """Returns `[N, K]` bool, whether each class is in the prediction set of each utterance."""
        return self.scale(probability) >= self.threshold

    def apply(self, table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
        """Calibrates a table of predictions.

        Args:
            table: A table of :func:`graphfusion.training.predict`, with a column for each class.
            classes: The names of the classes.

        Returns:
            A copy with calibrated probabilities, and a last column `set`. It has the classes of the
            utterance's prediction set, joined by "+", and may be empty.

        Raises:
            ValueError: If a class has no column, or the table already has a column `set`.
        """
        names = list(classes)
        if missing := [name for name in names if name not in table]:
            raise ValueError(f"table must have a column for each class, but lacks {missing}.")
        if "set" in table:
            raise ValueError("table must have no column 'set' yet, but has one.")
        # If the columns are in another order, pandas may return a view with negative strides.
        probability = torch.tensor(np.ascontiguousarray(table[names].to_numpy(dtype=float)))
        held = self.sets(probability).tolist()
        out = table.copy()
        out[names] = self.scale(probability).numpy()
        out["set"] = ["+".join(np.array(names)[row].tolist()) for row in held]
        return out

    def measure(self, probability: Tensor, label: Tensor) -> dict[str, float]:
        """Measures the calibration on other utterances.

        Args:
            probability: `[N, K]` float, before calibration.
            label: `[N]` int64.

        Returns:
            Values by name.

            - `error`, `error scaled`: expected calibration error (ten bins) before and after
              scaling.
            - `coverage`: the share of prediction sets that contain the true class.
            - `set size`: the mean number of classes of a prediction set.
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
