"""What a finished run leaves: scores, predictions, the model, a report."""

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
    """Everything but checkpoints; `result.json` last but for the report, which is made from it.

    Logs a line about the run. The split "val" of `held_out` chose the epoch.
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
    report.unlink(missing_ok=True)  # of fewer epochs
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


def calibrate(table: pd.DataFrame, spec: LabelSpec) -> Calibration | None:
    """By held-out predictions with labels; None but for one class each, or if none has one.

    They have chosen the epoch, too, so that they are predicted a little better than others.
    """
    if spec.task != "classification":
        return None
    probability, label = probabilities(table, spec.classes)
    return Calibration.fit(probability, label) if len(label) else None


def probabilities(table: pd.DataFrame, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
    """`[N, K]`, and the labels `[N]`, of predictions that have one."""
    known = table.dropna(subset=["label", *classes])
    place = {name: number for number, name in enumerate(classes)}
    probability = torch.tensor(known[list(classes)].to_numpy(dtype=float))
    return probability, torch.tensor([place[name] for name in known["label"]], dtype=torch.int64)
