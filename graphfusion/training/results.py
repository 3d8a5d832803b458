"""The files of a finished run: scores, predictions, the model and a report."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from graphfusion._utils.files import write_atomically
from graphfusion.data.labels import LabelSpec
from graphfusion.datasets.corpus import Corpus
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.saved import read_state
from graphfusion.training.calibration import Calibration
from graphfusion.training.columns import class_f1, label_values
from graphfusion.training.folder import write_json
from graphfusion.training.metrics import GOALS
from graphfusion.training.module import TrainingModule
from graphfusion.training.prediction import predict
from graphfusion.training.report import write_report
from graphfusion.training.run import DATA, MODEL, Run

_LOG = logging.getLogger(__name__)


@rank_zero_only
def write_results(
    folder: Path,
    module: TrainingModule,
    corpus: Corpus,
    held_out: Corpus,
    config: Mapping[str, Any],
    seconds: float,
) -> None:
    """Writes all files of a run except checkpoints, and logs a line about it.

    `result.json` marks the run as finished, so it is written after all others. Only the report,
    which is made from it, is written later.

    Args:
        folder: The run's folder.
        module: The trained module, with the weights of the strict epoch.
        corpus: The corpus with its original splits.
        held_out: The corpus whose split "val" chose the epoch.
        config: The content of `config.json`.
        seconds: The training time.
    """
    model, goal, rows = module.model, GOALS[module.model.task], module.history
    strict = goal.best([row[f"val_{goal.name}"] for row in rows])

    def scores(epoch: int, prefix: str) -> dict[str, float]:
        start = f"{prefix}_"
        row = rows[epoch].items()
        return {key.removeprefix(start): value for key, value in row if key.startswith(start)}

    def predicted(part: Corpus, split: str) -> pd.DataFrame:
        table = predict(model, part, split, module.settings.batch_size)
        for place, (name, values) in enumerate(label_values(part, split).items(), start=2):
            table.insert(place, name, values)
        return table

    result: dict[str, Any] = {"validation": scores(strict, "val"), "epoch": {"strict": strict}}
    spec = LabelSpec(corpus.task, corpus.classes)
    calibration = calibrate(predicted(held_out, "val"), spec)
    if corpus.splits.get("test"):
        legacy = goal.best([row[f"test_{goal.name}"] for row in rows])
        result |= {"strict": scores(strict, "test"), "legacy": scores(legacy, "test")}
        result["epoch"]["legacy"] = legacy
        table = predicted(corpus, "test")
        write_atomically(folder / "predictions.csv", table.to_csv(index=False).encode())
        result["class_f1"] = class_f1(table, spec)
        if calibration is not None:
            probability, label = probabilities(table, corpus.classes)
            if len(label):
                result["calibration"] = calibration.measure(probability, label)
    model.save_pretrained(folder / MODEL)
    about = {
        "classes": list(corpus.classes),
        "task": corpus.task,
        "modalities": config["data"]["modalities"],
        "in_channels": corpus.in_channels,
        "extractors": corpus.extractors,
        "corpus": config["data"]["fingerprint"],
        "recipe": config["recipe"],
        "calibration": None if calibration is None else asdict(calibration),
    }
    write_json(folder / MODEL / DATA, about)
    report = folder / "report.html"
    report.unlink(missing_ok=True)  # an old report, if a finished run was continued
    result |= {"epochs": module.settings.epochs, "seconds": seconds}
    write_json(folder / "result.json", result)
    write_report([Run(folder)], report, corpus)
    name = config["recipe"]["model"] if config["recipe"] else config["model"]["class"]
    _LOG.info(
        "%s, seed %d: best epoch %d (of 0 to %d), held-out %s %.4f, %.0f s: %s",
        name,
        config["seed"],
        strict,
        len(rows) - 1,
        goal.name,
        result["validation"][goal.name],
        seconds,
        folder,
    )


def load_results(folder: Path, model: ConversationModel, corpus: Corpus) -> Run:
    """Returns a finished run, after loading its weights into the model."""
    model.load_state_dict(read_state(folder / MODEL))
    model.cpu().eval()
    run, report = Run(folder), folder / "report.html"
    if not report.exists():  # the run was interrupted before this last step
        write_report([run], report, corpus)
    return run


def calibrate(table: pd.DataFrame, spec: LabelSpec) -> Calibration | None:
    """Fits a calibration on held-out predictions; None unless classification with labels.

    The same predictions chose the epoch, so the calibration is slightly optimistic.
    """
    if spec.task != "classification":
        return None
    probability, label = probabilities(table, spec.classes)
    return Calibration.fit(probability, label) if len(label) else None


def probabilities(table: pd.DataFrame, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Probabilities `[N, K]` and labels `[N]` of the labelled predictions."""
    known = table.dropna(subset=["label", *classes])
    place = {name: number for number, name in enumerate(classes)}
    probability = torch.tensor(known[list(classes)].to_numpy(dtype=float))
    return probability, torch.tensor([place[name] for name in known["label"]], dtype=torch.int64)
