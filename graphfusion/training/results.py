"""The files of a finished run: scores, predictions, the model and a report."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from pytorch_lightning.utilities import rank_zero_only

from graphfusion._utils.files import write_atomically
from graphfusion.data.labels import LabelSpec
from graphfusion.datasets.corpus import Corpus
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.saved import read_state
from graphfusion.training.calibration import Calibration
from graphfusion.training.columns import class_f1, label_values, probabilities
from graphfusion.training.folder import write_json
from graphfusion.training.module import TrainingModule
from graphfusion.training.prediction import predict
from graphfusion.training.report import write_report
from graphfusion.training.run import DATA, MODEL, Run

_LOG = logging.getLogger(__name__)


@rank_zero_only
def write_results(
    folder: Path, module: TrainingModule, config: Mapping[str, Any], seconds: float
) -> None:
    """Writes all files of a run except checkpoints, and logs a line about it.

    `result.json` marks the run as finished, so it is written after all others. Only the report,
    which is made from it, is written later.

    Args:
        folder: The run's folder.
        module: The trained module, with the weights of the strict epoch.
        config: The content of `config.json`.
        seconds: The training time.
    """
    model, parts, strict = module.model, module.parts, module.best_epoch()

    def scores(epoch: int, scored: str) -> dict[str, float]:
        row, start = module.history[epoch], f"{scored}_"
        return {key.removeprefix(start): row[key] for key in row if key.startswith(start)}

    def predicted(split: str) -> pd.DataFrame:
        table = predict(model, parts, split, module.settings.batch_size)
        for place, (name, values) in enumerate(label_values(parts, split).items(), start=2):
            table.insert(place, name, values)
        return table

    result: dict[str, Any] = {"validation": scores(strict, "val"), "epoch": {"strict": strict}}
    spec, calibration = LabelSpec(parts.task, parts.classes), None
    if parts.task == "classification":
        # The same predictions chose the epoch, so the calibration is slightly optimistic.
        probability, label = probabilities(predicted("val"), parts.classes)
        calibration = Calibration.fit(probability, label) if len(label) else None
    if "test" in parts.splits:
        legacy = module.best_epoch("test")
        result |= {"strict": scores(strict, "test"), "legacy": scores(legacy, "test")}
        result["epoch"]["legacy"] = legacy
        table = predicted("test")
        write_atomically(folder / "predictions.csv", table.to_csv(index=False).encode())
        result["class_f1"] = class_f1(table, spec)
        if calibration is not None:
            probability, label = probabilities(table, parts.classes)
            if len(label):
                result["calibration"] = calibration.measure(probability, label)
    model.save_pretrained(folder / MODEL)
    data = config["data"]
    about = {
        "classes": data["classes"],
        "task": model.task,
        "modalities": data["modalities"],
        "in_channels": data["in_channels"],
        "corpus": data["fingerprint"],
        "recipe": config["recipe"],
        "calibration": None if calibration is None else asdict(calibration),
    }
    write_json(folder / MODEL / DATA, about)
    report = folder / "report.html"
    report.unlink(missing_ok=True)  # an old report, if a finished run was continued
    result |= {"epochs": module.settings.epochs, "seconds": seconds}
    write_json(folder / "result.json", result)
    run, goal = Run(folder), module.goal.name
    write_report([run], report, parts)
    _LOG.info(
        f"{run.model_name}, seed {module.seed}: best epoch {strict} (of 0 to "
        f"{len(module.history) - 1}), held-out {goal} {result['validation'][goal]:.4f}, "
        f"{seconds:.0f} s: {folder}"
    )


def load_results(folder: Path, model: ConversationModel, corpus: Corpus) -> Run:
    """Returns a finished run, after loading its weights into the model."""
    model.load_state_dict(read_state(folder / MODEL))
    model.cpu().eval()
    run, report = Run(folder), folder / "report.html"
    if not report.exists():  # the run was interrupted before this last step
        write_report([run], report, corpus)
    return run
