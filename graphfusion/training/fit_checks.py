"""Checks that a corpus fits a model, and has labels to train on."""

import torch

from graphfusion._utils.constants import differs
from graphfusion._utils.warn import warn
from graphfusion.data.labels import LabelSpec, labelled
from graphfusion.datasets.checks.labels import classes_present
from graphfusion.datasets.corpus import Corpus
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.training.columns import check_names
from graphfusion.training.recipes import Recipe
from graphfusion.training.settings import Settings


def check_fit(model: ConversationModel, corpus: Corpus, settings: Settings) -> None:
    """Checks that the corpus has the model's modalities, task and classes.

    Raises:
        ValueError: If it has others, a class has the name of a column of predictions, or a setting
            needs an encoder of another kind.
    """
    if dict(corpus.in_channels) != model.in_channels:
        raise ValueError(
            f"corpus must have the model's modalities, {model.in_channels}, but has "
            f"{corpus.in_channels}; corpus.select takes some of them."
        )
    if model.task != corpus.task:
        raise ValueError(
            f"corpus must have labels for {model.task}, but has some for {corpus.task}."
        )
    if corpus.classes and tuple(model.class_names) != tuple(corpus.classes):
        raise ValueError(
            "corpus must have the model's class_names in the same order, "
            f"{list(model.class_names)}, but has {list(corpus.classes)}; make the model with "
            "class_names=corpus.classes."
        )
    check_names(LabelSpec(model.task, model.class_names))
    if settings.drop_features and not hasattr(model.encoder, "standardize"):
        raise ValueError("drop_features must be 0 if the model's encoder has no `standardize`.")


def check_labels(parts: Corpus) -> None:
    """Checks the labels of the conversations trained on, and of those held out.

    Args:
        parts: A corpus with the splits "train" and "val".

    Raises:
        ValueError: If one of them has no labels.

    Warns:
        UserWarning: If a class has no example in "train".
    """
    for split, purpose in (("train", "train on"), ("val", "choose the epoch by")):
        if not any(labelled(y).any() for y in parts.labels(split)):
            raise ValueError(
                f"corpus must have labels to {purpose}, but its {len(parts.splits[split])} "
                f"conversations for that have none."
            )
    found = classes_present(torch.cat(parts.labels("train"))) if parts.classes else set()
    if lacking := [name for number, name in enumerate(parts.classes) if number not in found]:
        warn(f"corpus should have an example of each class to train on, but has none of {lacking}.")


def check_recipe(model: ConversationModel, corpus: Corpus, recipe: Recipe | None) -> None:
    """Checks that a model is a recipe's, by which it is built again when it is loaded.

    Raises:
        ValueError: If they differ in a part or a number.
    """
    if recipe is None:
        return
    arguments = corpus.in_channels, corpus.classes, corpus.task  # which may be read from a file
    with torch.device("meta"):  # draws no random numbers
        expected = recipe.build_for(*arguments)
    own: torch.nn.Module = getattr(model, "_orig_mod", model)  # of torch.compile
    if (differing := differs(expected, own)) is not None:
        raise ValueError(
            f"model must be the recipe's, but differs in {differing}: make it with recipe.build."
        )


def settings_of(settings: Settings | None, recipe: Recipe | None) -> Settings:
    """Returns the settings of a training.

    Raises:
        ValueError: If they are given, and the recipe has others.
    """
    if recipe is None:
        return settings or Settings()
    if settings not in (None, recipe.settings):
        raise ValueError(
            f"settings must be left out or be the recipe's, {recipe.settings}, but got {settings}."
        )
    return recipe.settings
