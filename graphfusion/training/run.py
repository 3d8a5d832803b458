"""Reading of a finished run and its trained model from a folder."""

import json
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
from graphfusion.models import hub
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.mmdfn import MMDFN
from graphfusion.training.checkpoints import METRICS
from graphfusion.training.columns import label_columns
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
        return read_json(self.folder / "config.json")

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
        return read_json(self.folder / "result.json")

    @cached_property
    def history(self) -> pd.DataFrame:
        """Table of `epoch`, `train_loss`, and scores `val_...` and `test_...` of each epoch."""
        return pd.read_csv(self.folder / METRICS)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Table of :func:`predict` for the test utterances, with a column `label`.

        For multilabel tasks, each class has a column `label NAME` instead: 1, 0, or NaN if missing.
        """
        text = {"conversation": str, "label": str, "predicted": str} if self.classes else {}
        return pd.read_csv(
            self.folder / "predictions.csv",
            dtype={"conversation": str, **text},
            keep_default_na=False,
            # Of a prediction of several classes, an empty value means none of them.
            na_values={name: [""] for name in ("turn", *label_columns(self.spec))},
        )

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Confusion matrix `[K, K]`, the counts of test utterances by true and predicted class.

        Raises:
            ValueError: If the task is another than classification.
        """
        if self.task != "classification":
            raise ValueError(
                f"confusion must be of a classification run, but the run's task is {self.task}; "
                "`result` has the scores of each."
            )
        known = self.predictions.dropna(subset="label")
        counts = pd.crosstab(known["label"], known["predicted"])
        square = counts.reindex(index=self.classes, columns=self.classes, fill_value=0)
        return np.asarray(square, dtype=np.int64)

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
        task: str = self.config["model"]["arguments"]["task"]
        return task

    @property
    def spec(self) -> LabelSpec:
        """The task and the classes."""
        return LabelSpec(self.task, tuple(self.classes))

    @property
    def settings(self) -> dict[str, Any]:
        """The training settings, and the arguments of the model."""
        return {**self.config["settings"], **self.config["model"]["arguments"]}

    @property
    def described(self) -> dict[str, Any]:
        """The settings, and what a recipe has besides: its preset, and changes of other models."""
        recipe = self.config["recipe"] or {}
        preset = {"preset": recipe["preset"]} if recipe else {}
        return {**preset, **recipe.get("changes", {}), **self.settings}

    @property
    def model_name(self) -> str:
        """The name of the recipe's model, or else of the model's class."""
        name: str = (self.config["recipe"] or {}).get("model", self.config["model"]["class"])
        return name

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
    about = about_model(folder)
    if not parts and (recipe := about.get("recipe")) is not None:
        try:
            with torch.device("meta"):  # sizes from a file must not allocate memory
                like = Recipe(**recipe).build_for(
                    about["in_channels"], about["classes"], about.get("task")
                )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{folder / DATA} must describe how to build the model, but: {error!r}."
            ) from error
        if not isinstance(like, MMDFN):
            parts = {name: getattr(like, name) for name in ("encoder", "graph", "fusion", "head")}
    kind = ConversationModel if parts else MMDFN
    return kind.from_pretrained(folder, **parts)


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

    Its keys are `classes`, `task`, `in_channels`, `corpus` (the fingerprint), `modalities` (given
    to :meth:`Corpus.select`), `recipe` and `calibration`.
    """
    path = Path(folder) / DATA
    return read_json(path) if path.is_file() else {}


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        ValueError: If the file has none.
    """
    try:
        found = json.loads(read_regular(path, _MAX_JSON))
    except ValueError as error:
        raise ValueError(f"{path} must be JSON, but: {error}.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must be a JSON object, but is {type(found).__name__}.")
    return found
