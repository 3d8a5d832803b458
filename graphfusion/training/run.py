"""A finished run: what a folder holds of it."""

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
from graphfusion.training.recipes import Recipe

MODEL = "model"  # the folder of the trained model
DATA = "data.json"  # in that: what it was trained on
FIRST = "first.safetensors"  # the weights before training
_LARGEST = 2**26  # bytes of a JSON file


class Run:
    """What :func:`fit` left in a folder.

    Args:
        folder: The folder.

    Raises:
        ValueError: If no run has finished there.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        if not (self.folder / "result.json").is_file():
            raise ValueError(f"{folder} must hold a finished run, but has no result.json.")

    @cached_property
    def config(self) -> dict[str, Any]:
        """What was done, on which data, with which versions."""
        return _read(self.folder / "config.json")

    @cached_property
    def result(self) -> dict[str, Any]:
        """Scores, as fractions, and time.

        - `strict`: test scores at the epoch that was best on held-out conversations.
        - `legacy`: the same at the epoch that was best on the test conversations.
        - `validation`: held-out scores at their best epoch.
        - `epoch`: both epochs, from 0; `epochs`: how many were asked for; `seconds`: time of the
          training, of a resumed run the last part's.
        """
        return _read(self.folder / "result.json")

    @cached_property
    def history(self) -> pd.DataFrame:
        """A row for each epoch: `epoch`, `train_loss`, and the scores `val_...` and `test_...`."""
        return pd.read_csv(self.folder / "metrics.csv")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row for each test utterance, as of :func:`predict`, with its `label`.

        Of several classes at once, each has a column `label NAME`: 1, 0, or NaN where missing.
        """
        text = {"conversation": str, "label": str, "predicted": str} if self.classes else {}
        table = pd.read_csv(
            self.folder / "predictions.csv",
            dtype={"conversation": str, **text},
            keep_default_na=False,
            na_values=[""],
        )
        if self.task == "multilabel":  # of no class is not missing
            table["predicted"] = table["predicted"].fillna("")
        return table

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """`[K, K]` labelled test utterances, true class by predicted class.

        Raises:
            ValueError: If utterances have several classes at once.
        """
        if self.task == "multilabel":
            raise ValueError(
                "confusion must be of one class an utterance, but the run is of several at once; "
                "result['class_f1'] has the F1 of each."
            )
        place = {name: number for number, name in enumerate(self.classes)}
        known = self.predictions.dropna(subset="label")
        counts = np.zeros((len(place), len(place)), dtype=np.int64)
        np.add.at(counts, (known["label"].map(place), known["predicted"].map(place)), 1)
        return counts

    @cached_property
    def first_weights(self) -> dict[str, Tensor]:
        """The parameters that training began with, by name."""
        return safetensors.torch.load(read_regular(self.folder / FIRST))

    @property
    def classes(self) -> list[str]:
        """The names of the classes; none: scores."""
        classes: list[str] = self.config["data"]["classes"]
        return classes

    @property
    def task(self) -> str:
        """The model's task: "classification", "multilabel" or "regression"."""
        arguments = self.config.get("model", {}).get("arguments", {})
        task: str = arguments.get("task", LabelSpec.of(self.classes, None).task)
        return task

    def model(self, **parts: Any) -> ConversationModel:
        """The trained model, as :func:`load_model` reads it."""
        return load_model(self.folder / MODEL, **parts)


def load_model(
    folder: str | PathLike[str], revision: str | None = None, **parts: Any
) -> ConversationModel:
    """The model that :func:`fit` saved, on the CPU and ready to predict.

    Args:
        folder: The run's `model` folder; with `revision`, a repository of the Hugging Face Hub.
        revision: A branch, tag or commit of that repository.
        **parts: The four parts, of a model of one's own parts; a named one builds them itself.

    Raises:
        FileNotFoundError: If the folder has no model.
        ValueError: If anything in its files is wrong, or does not fit the parts.
    """
    folder = hub.opened(folder, revision)
    _check_there(folder)
    about = about_model(folder)
    recipe = about.get("recipe")
    if parts:
        return ConversationModel.from_pretrained(folder, **parts)
    if recipe is None:
        return MMDFN.from_pretrained(folder)
    try:
        with torch.device("meta"):  # no weight is drawn, nor any memory taken, for what a file says
            like = Recipe(**recipe).build_for(
                about["in_channels"], about["classes"], about.get("task")
            )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder / DATA} must say what the model was made of, but: {error!r}."
        ) from error
    if isinstance(like, MMDFN):
        return MMDFN.from_pretrained(folder)
    parts = {name: getattr(like, name) for name in ("encoder", "graph", "fusion", "head")}
    return ConversationModel.from_pretrained(folder, **parts)


def _check_there(folder: Path) -> None:
    """Checks that a folder has a model.

    Raises:
        FileNotFoundError: If it has none; it names the one of a run whose folder it is.
    """
    weights = folder / "model.safetensors"
    if not weights.is_file():
        inner = f"model/{weights.name}"
        found = [*folder.glob(inner), *folder.glob(f"seed_*/{inner}")]
        hint = f"; did you mean {min(found).parent}?" if found else "."
        raise FileNotFoundError(f"folder must have a {weights.name}, but {folder} has none{hint}")


def about_model(folder: str | PathLike[str]) -> dict[str, Any]:
    """What a model was trained on, if its folder says so.

    `classes`, `task`, `in_channels`, `extractors`, `corpus` (its fingerprint), `modalities` (what
    it was selected by, see :meth:`Corpus.select`) and `recipe`.
    """
    path = Path(folder) / DATA
    return _read(path) if path.is_file() else {}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_regular(path, _LARGEST))
    except ValueError as error:
        raise ValueError(f"{path} must be JSON, but: {error}.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must be an object, but is {type(found).__name__}.")
    return found
