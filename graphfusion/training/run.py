"""Reading of a finished run and its trained model from a folder."""

import json
from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphfusion._utils.files import read_regular
from graphfusion.data.labels import LabelSpec
from graphfusion.datasets.checks.extractors import check_extractors
from graphfusion.models import hub
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.mmdfn import MMDFN
from graphfusion.training.recipes import Recipe

MODEL = "model"  # the folder of the trained model
DATA = "data.json"  # in the model's folder: a description of the training data
FIRST = "first.safetensors"  # the weights before training
_MAX_JSON = 2**26  # bytes


class Run:
    """A finished run of :func:`fit`, read from its folder.

    Args:
        folder: The folder.

    Raises:
        ValueError: If the folder has no finished run.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        if not (self.folder / "result.json").is_file():
            raise ValueError(f"{folder} must hold a finished run, but has no result.json.")

    @cached_property
    def config(self) -> dict[str, Any]:
        """The model, settings, seed, data and package versions of the run."""
        return _read(self.folder / "config.json")

    @cached_property
    def result(self) -> dict[str, Any]:
        """Scores, as fractions, and training time.

        - `strict`: test scores at the epoch that was best on held-out conversations.
        - `legacy`: test scores at the epoch that was best on the test conversations.
        - `validation`: held-out scores at the strict epoch.
        - `class_f1`: the strict test F1 of each class.
        - `calibration`: :meth:`Calibration.measure` on the test conversations, for classification.
        - `epoch`: the `strict` and the `legacy` epoch, from 0.
        - `epochs`: the number of epochs in the settings.
        - `seconds`: the training time; of a resumed run, that since the last resumption.
        """
        return _read(self.folder / "result.json")

    @cached_property
    def history(self) -> pd.DataFrame:
        """Table of `epoch`, `train_loss`, and scores `val_...` and `test_...` of each epoch."""
        return pd.read_csv(self.folder / "metrics.csv")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Table of :func:`predict` for the test utterances, with a column `label`.

        For multilabel tasks, each class has a column `label NAME` instead: 1, 0, or NaN if missing.
        """
        text = {"conversation": str, "label": str, "predicted": str} if self.classes else {}
        table = pd.read_csv(
            self.folder / "predictions.csv",
            dtype={"conversation": str, **text},
            keep_default_na=False,
            na_values=[""],
        )
        if self.task == "multilabel":  # an empty value means no class, not a missing prediction
            table["predicted"] = table["predicted"].fillna("")
        return table

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Confusion matrix `[K, K]`, the counts of test utterances by true and predicted class.

        Raises:
            ValueError: If the task is multilabel.
        """
        if self.task == "multilabel":
            raise ValueError(
                "confusion must be of a classification run, but the run's task is multilabel; "
                "result['class_f1'] has the F1 of each class."
            )
        place = {name: number for number, name in enumerate(self.classes)}
        known = self.predictions.dropna(subset="label")
        counts = np.zeros((len(place), len(place)), dtype=np.int64)
        np.add.at(counts, (known["label"].map(place), known["predicted"].map(place)), 1)
        return counts

    @cached_property
    def first_weights(self) -> dict[str, Tensor]:
        """The parameters before training, by name."""
        return read_first(self.folder)

    @property
    def classes(self) -> list[str]:
        """The names of the classes; empty for regression."""
        classes: list[str] = self.config["data"]["classes"]
        return classes

    @property
    def task(self) -> str:
        """The model's task, "classification", "multilabel" or "regression"."""
        arguments = self.config.get("model", {}).get("arguments", {})
        task: str = arguments.get("task", LabelSpec.of(self.classes, None).task)
        return task

    def model(self, **parts: Any) -> ConversationModel:
        """Loads the trained model; `parts` are those of :func:`load_model`."""
        return load_model(self.folder / MODEL, **parts)


def load_model(
    folder: str | PathLike[str], revision: str | None = None, **parts: Any
) -> ConversationModel:
    """Loads a model saved by :func:`fit`, on the CPU and in evaluation mode.

    Args:
        folder: The run's `model` folder; with `revision`, a repository of the Hugging Face Hub.
        revision: A branch, tag or commit of that repository.
        **parts: `encoder`, `graph`, `fusion` and `head` of a custom model. Named models and
            :class:`MMDFN` do not need them.

    Raises:
        FileNotFoundError: If the folder has no model.
        ValueError: If a file is invalid, or does not fit the parts.
    """
    folder = hub.opened(folder, revision)
    _check_there(folder)
    about = about_model(folder)
    model = _load(folder, about, parts)
    try:
        model.extractors = check_extractors(about.get("extractors", {}), model.in_channels)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / DATA}: {error}") from error
    return model


def _load(folder: Path, about: Mapping[str, Any], parts: Mapping[str, Any]) -> ConversationModel:
    """Loads a model with the given parts, or with those that its description names."""
    recipe = about.get("recipe")
    if parts:
        return ConversationModel.from_pretrained(folder, **parts)
    if recipe is None:
        return MMDFN.from_pretrained(folder)
    try:
        with torch.device("meta"):  # sizes from a file must not allocate memory
            like = Recipe(**recipe).build_for(
                about["in_channels"], about["classes"], about.get("task")
            )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder / DATA} must describe how to build the model, but: {error!r}."
        ) from error
    if isinstance(like, MMDFN):
        return MMDFN.from_pretrained(folder)
    parts = {name: getattr(like, name) for name in ("encoder", "graph", "fusion", "head")}
    return ConversationModel.from_pretrained(folder, **parts)


def _check_there(folder: Path) -> None:
    """Checks that a folder has a model.

    Raises:
        FileNotFoundError: If it has none. For a run's folder, the message suggests its model.
    """
    weights = folder / "model.safetensors"
    if not weights.is_file():
        inner = f"model/{weights.name}"
        found = [*folder.glob(inner), *folder.glob(f"seed_*/{inner}")]
        hint = f"; did you mean {min(found).parent}?" if found else "."
        raise FileNotFoundError(f"folder must have a {weights.name}, but {folder} has none{hint}")


def read_first(folder: Path) -> dict[str, Tensor]:
    """Reads the parameters before training from a run's folder.

    Raises:
        ValueError: If the file is damaged.
    """
    path = folder / FIRST
    try:
        return safetensors.torch.load(read_regular(path))
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} must be as it was written, but is damaged: {error}.") from error


def about_model(folder: str | PathLike[str]) -> dict[str, Any]:
    """Description of a saved model's training data, or an empty dict if there is none.

    Its keys are `classes`, `task`, `in_channels`, `extractors`, `corpus` (the fingerprint),
    `modalities` (given to :meth:`Corpus.select`), `recipe` and `calibration`.
    """
    path = Path(folder) / DATA
    return _read(path) if path.is_file() else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_regular(path, _MAX_JSON))
    except ValueError as error:
        raise ValueError(f"{path} must be JSON, but: {error}.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must be a JSON object, but is {type(found).__name__}.")
    return found
