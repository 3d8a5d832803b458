"""Training, evaluation and comparison of models, on PyTorch Lightning and TorchMetrics."""

from graphfusion._utils.extras import require

require("train", "train models")

from graphfusion.training.benchmark import benchmark  # noqa: E402
from graphfusion.training.calibration import Calibration  # noqa: E402
from graphfusion.training.comparison import compare, percent, table  # noqa: E402
from graphfusion.training.cross_validation import by_prefix, cross_validate  # noqa: E402
from graphfusion.training.data import held_out  # noqa: E402
from graphfusion.training.diagnosis import Diagnosis, diagnose  # noqa: E402
from graphfusion.training.fit import fit  # noqa: E402
from graphfusion.training.hub import model_card, push_to_hub  # noqa: E402
from graphfusion.training.prediction import evaluate, predict  # noqa: E402
from graphfusion.training.recipes import MODELS, Recipe  # noqa: E402
from graphfusion.training.report import write_report  # noqa: E402
from graphfusion.training.run import Run, load_model  # noqa: E402
from graphfusion.training.search import search  # noqa: E402
from graphfusion.training.seeds import fit_seeds  # noqa: E402
from graphfusion.training.settings import Settings  # noqa: E402

__all__ = [
    "MODELS",
    "Calibration",
    "Diagnosis",
    "Recipe",
    "Run",
    "Settings",
    "benchmark",
    "by_prefix",
    "compare",
    "cross_validate",
    "diagnose",
    "evaluate",
    "fit",
    "fit_seeds",
    "held_out",
    "load_model",
    "model_card",
    "percent",
    "predict",
    "push_to_hub",
    "search",
    "table",
    "write_report",
]
