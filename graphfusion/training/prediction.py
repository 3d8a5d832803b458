"""Predictions of a trained model as a table, and their scores."""

from collections.abc import Iterator, Sequence
from os import PathLike

import pandas as pd
import torch
from torch import Tensor
from torch_geometric.loader import DataLoader

from graphfusion._utils.evaluation import evaluation_view
from graphfusion.data.conversation import MISSING, Conversation
from graphfusion.datasets import load
from graphfusion.datasets.corpus import Corpus
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.task import predictions as rows_of
from graphfusion.training.metrics import Scores

_COLUMNS = ("conversation", "utterance", "turn", "label", "predicted")
Source = Corpus | str | PathLike[str] | Sequence[Conversation]


def predict(
    model: ConversationModel, source: Source, split: str | None = None, batch_size: int = 32
) -> pd.DataFrame:
    """Predicts every utterance.

    Args:
        model: A trained model; its modalities are matched by name.
        source: A corpus, a file of one, or conversations.
        split: Which conversations of a corpus; None: all of them.
        batch_size: How many conversations at once; the predictions do not depend on it.

    Returns:
        A row for each utterance: `conversation`, its `id` (or its number, if it has none);
        `utterance`, its position there, from 0; of a table with turns (:meth:`Corpus.from_table`),
        `turn`, which with the conversation finds its row again; `predicted`, a class (several
        labels: those over one half, joined by "+"), and each class's probability by the class's
        name; or `predicted`, a score.

    Raises:
        FormatError: If the file is none.
        ValueError: If the model has a modality that the source lacks, there is no such split, or a
            class has the name of another column.
    """
    if wrong := [name for name in model.class_names if name in _COLUMNS]:
        raise ValueError(f"class_names must not be those of other columns, but got {wrong}.")
    source = _opened(source)
    turns = source.turns if isinstance(source, Corpus) else {}
    tables = []
    for number, (conversation, logits) in enumerate(_logits(model, source, split, batch_size)):
        table = _table(model, logits)
        name = conversation.id if "id" in conversation else str(number)
        table.insert(0, "conversation", name)
        table.insert(1, "utterance", range(len(table)))
        if turns:
            table.insert(2, "turn", turns.get(name))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def evaluate(
    model: ConversationModel,
    source: Source,
    split: str = "test",
    sentiment: bool = False,
    batch_size: int = 32,
) -> dict[str, float]:
    """Scores a model's predictions; utterances without a label do not count.

    Args:
        model: A trained model.
        source: A corpus, whose classes are matched with the model's by name; a file of one; or
            conversations, labelled by the model's classes.
        split: Which conversations of a corpus.
        sentiment: Whether scores are of sentiment, from -3 to 3.
        batch_size: How many conversations at once.

    Returns:
        Fractions by name: `accuracy` and weighted `f1` of classes and of several labels; `mae` and
        `corr` of scores, and of sentiment `acc2`, `f1` and `acc7`, too. NaN where nothing has a
        label.

    Raises:
        FormatError: If the file is none.
        ValueError: If the classes differ, or as :func:`predict`.
    """
    source = _opened(source)
    place = _places(model, source.classes) if isinstance(source, Corpus) else None
    scores = Scores(model.task, model.num_classes, sentiment)
    for conversation, logits in _logits(model, source, split, batch_size):
        y = conversation.y
        if place is not None and model.task == "classification":
            y = place[y.clamp_min(0)].where(y != MISSING, MISSING)
        scores.update(logits, y)
    return scores.compute()


def _opened(source: Source) -> Corpus | Sequence[Conversation]:
    return load(source) if isinstance(source, str | PathLike) else source


def _logits(
    model: ConversationModel, source: Source, split: str | None, batch_size: int
) -> Iterator[tuple[Conversation, Tensor]]:
    """Each conversation with its logits, batch by batch."""
    source = _opened(source)
    if isinstance(source, Corpus):
        if split is not None and split not in source.splits:
            raise ValueError(f"split must be one of {list(source.splits)}, but got {split!r}.")
        if missing := [name for name in model.in_channels if name not in source.in_channels]:
            raise ValueError(
                f"the corpus must have the model's modalities {list(model.in_channels)}, but lacks "
                f"{missing}."
            )
        source = source.select(list(model.in_channels))
        parts = source.splits.values() if split is None else [source.splits[split]]
    else:
        parts = [source]
    view = evaluation_view(model)
    device = next(model.parameters()).device
    for conversations in parts:
        for batch in DataLoader(conversations, batch_size=batch_size):
            with torch.inference_mode():
                logits = view(batch.to(device)).cpu()
            yield from zip(
                batch.cpu().to_data_list(), logits.split(batch.ptr.diff().tolist()), strict=True
            )


def _table(model: ConversationModel, logits: Tensor) -> pd.DataFrame:
    rows = rows_of(logits, model.task, model.class_names)
    if model.task == "regression":
        if model.num_classes == 1:
            return pd.DataFrame({"predicted": rows})
        return pd.DataFrame(rows)
    table = pd.DataFrame(rows, columns=list(model.class_names))
    if model.task == "classification":
        predicted = table.idxmax(axis=1)
    else:
        predicted = table.apply(lambda row: "+".join(row.index[row > 0.5]), axis=1)
    table.insert(0, "predicted", predicted)
    return table


def _places(model: ConversationModel, classes: Sequence[str]) -> Tensor | None:
    """Where each of the corpus's classes stands among the model's."""
    named = list(model.class_names) if model.task == "classification" else []
    if sorted(named) != sorted(classes):
        raise ValueError(
            f"the corpus must have the model's classes, {named or 'scores'}, but has "
            f"{list(classes) or 'scores'}."
        )
    return torch.tensor([named.index(name) for name in classes]) if named else None


def labels_of(corpus: Corpus, split: str) -> list[object]:
    """The labels as :func:`predict` names classes: a class, or a score; None where missing."""
    y = torch.cat(corpus.labels(split))
    if not corpus.classes:
        return [None if score != score else score for score in y.tolist()]
    return [None if label == MISSING else corpus.classes[label] for label in y.tolist()]
