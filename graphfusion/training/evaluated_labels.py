"""Labels of a corpus or of conversations, for the task and the classes of a model."""

from collections.abc import Sequence

import torch
from torch import Tensor

from graphfusion.data.labels import MISSING, LabelSpec, labelled
from graphfusion.datasets.checks.labels import check_labels
from graphfusion.datasets.corpus import Corpus
from graphfusion.models.conversation_model import ConversationModel


def check_y(y: Tensor, logits: Tensor, model: ConversationModel, name: str) -> None:
    """Checks that the labels of a conversation are of the model's task, and in range."""
    scores = model.task == "regression" and y.is_floating_point() and y.shape == logits.shape
    if scores or not labelled(y).any():  # where nothing is scored, they may be of any kind
        return
    for problem in check_labels(name, y, LabelSpec(model.task, model.class_names)):
        raise ValueError(str(problem))


def check_corpus(model: ConversationModel, corpus: Corpus) -> None:
    """Checks that a corpus has labels for the model's task and classes."""
    if model.task != corpus.task:
        parts = corpus.splits
        if not any(labelled(y).any() for split in parts for y in corpus.labels(split)):
            raise ValueError("the corpus must have labels to evaluate a model, but has none.")
        raise ValueError(
            f"the corpus must have labels for {model.task}, the model's task, but has some for "
            f"{corpus.task}."
        )
    if corpus.classes and sorted(model.class_names) != sorted(corpus.classes):
        raise ValueError(
            f"the corpus must have the model's classes, {list(model.class_names)}, but has "
            f"{list(corpus.classes)}."
        )


def reorder(y: Tensor, model: ConversationModel, classes: Sequence[str]) -> Tensor:
    """Converts labels from the corpus's order of classes to the model's."""
    if model.task == "regression":
        return y
    if model.task == "multilabel":
        return y[:, [classes.index(name) for name in model.class_names]]
    place = torch.tensor([model.class_names.index(name) for name in classes])
    return place[y.clamp_min(0)].where(y != MISSING, MISSING)
