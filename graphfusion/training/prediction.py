"""Predictions of a trained model, as a table or as scores."""

from collections.abc import Iterator, Sequence
from os import PathLike

import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Batch

from graphfusion._utils.evaluation import evaluation_view
from graphfusion._utils.warn import warn
from graphfusion.data.conversation import Conversation, trusted_conversation
from graphfusion.data.labels import LabelSpec
from graphfusion.datasets import load
from graphfusion.datasets.checks.extractors import check_same
from graphfusion.datasets.corpus import Corpus
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.models.task import chosen
from graphfusion.models.task import predictions as rows_of
from graphfusion.training.columns import check_names
from graphfusion.training.evaluated_labels import check_corpus, check_y, reorder
from graphfusion.training.metrics import Scores

Source = Corpus | str | PathLike[str] | Sequence[Conversation]


class NotFiniteError(ValueError):
    """A prediction is not finite: the training has diverged, or the features are not finite."""


def predict(
    model: ConversationModel, source: Source, split: str | None = None, batch_size: int = 32
) -> pd.DataFrame:
    """Predicts the class or score of each utterance.

    Args:
        model: A trained model; modalities are matched by name.
        source: A corpus, the path of a corpus file, or conversations.
        split: The split of the corpus to predict; None: all splits.
        batch_size: Number of conversations in a batch; the predictions do not depend on it.

    Returns:
        A table with a row for each utterance, and these columns.

        - `conversation`: the conversation's `id`, or its number from 0 if it has none.
        - `utterance`: the position in the conversation, from 0.
        - `turn`: the turn of a corpus from :meth:`Corpus.from_table`. Together with `conversation`,
          it identifies the row of that table.
        - `predicted`: the class or the score; for multilabel tasks, the classes with a probability
          above 0.5, joined by "+" (maybe none).
        - One column for each class, with its probability.

    Raises:
        FormatError: If the file is not a corpus.
        ValueError: If the source lacks a modality of the model, or has one whose features were not
            made as in training; there is no such split, or no conversation; the number of one
            without `id` is the id of another; a class has the name of another column; or a
            prediction is not finite.

    Warns:
        UserWarning: If features were made with other package versions than in training, or if the
            model has how they were made, and the corpus has not.
    """
    check_names(LabelSpec(model.task, model.class_names))
    source = _load_source(source)
    turns = source.turns if isinstance(source, Corpus) else {}
    tables: list[pd.DataFrame] = []
    named: set[str] = set()
    numbered: set[str] = set()
    for number, (conversation, logits) in enumerate(_logits(model, source, split, batch_size)):
        table = _table(model, logits)
        name = conversation.id if "id" in conversation else str(number)
        (named if "id" in conversation else numbered).add(str(name))
        table.insert(0, "conversation", name)
        table.insert(1, "utterance", range(len(table)))
        if turns:
            table.insert(2, "turn", turns.get(name))
        tables.append(table)
    if not tables:
        where = "source" if split is None else f"split {split!r}"
        raise ValueError(f"{where} must have conversations to predict, but has none.")
    if both := sorted(named & numbered):
        raise ValueError(
            f"conversations must have ids that are not the numbers of those without, but {both} "
            "are both."
        )
    return pd.concat(tables, ignore_index=True)


def evaluate(
    model: ConversationModel,
    source: Source,
    split: str = "test",
    sentiment: bool = False,
    batch_size: int = 32,
) -> dict[str, float]:
    """Scores a model's predictions on labelled utterances.

    Args:
        model: A trained model.
        source: A corpus, the path of a corpus file, or conversations. Classes of a corpus are
            matched by name; labels of conversations are indices of the model's classes.
        split: The split of the corpus to score.
        sentiment: Whether scores are sentiment, from -3 to 3.
        batch_size: Number of conversations in a batch.

    Returns:
        Scores by name; NaN if no utterance is labelled.

        - Classification and multilabel: `accuracy` and weighted `f1`, as fractions.
        - Regression: `mae` and `corr`; for sentiment also `acc2`, `f1` and `acc7`.

    Raises:
        FormatError: If the file is not a corpus.
        TypeError: If `source` is of another kind.
        ValueError: If the classes differ, labels are not the model's, `sentiment` is given for
            classes, or for the reasons of :func:`predict`.
    """
    source = _load_source(source)
    if isinstance(source, Corpus):
        check_corpus(model, source)
    scores = Scores(model.task, model.num_classes, sentiment)
    for number, (conversation, logits) in enumerate(_logits(model, source, split, batch_size)):
        y = conversation.y.cpu()
        if isinstance(source, Corpus):
            y = reorder(y, model, source.classes)
        else:
            name = conversation.id if "id" in conversation else str(number)
            check_y(y, logits, model, name)
        scores.update(logits, y)
    return scores.compute()


def _load_source(source: Source) -> Corpus | Sequence[Conversation]:
    if not isinstance(source, Corpus | Sequence | PathLike):
        raise TypeError(
            "source must be a path, a corpus or a sequence of conversations, but got "
            f"{type(source).__name__}; Corpus.from_table takes tables."
        )
    return load(source) if isinstance(source, str | PathLike) else source


def _logits(
    model: ConversationModel,
    source: Corpus | Sequence[Conversation],
    split: str | None,
    batch_size: int,
) -> Iterator[tuple[Conversation, Tensor]]:
    """Yields each conversation with its logits, computed in batches."""
    if isinstance(source, Corpus):
        if split is not None and split not in source.splits:
            raise ValueError(f"split must be one of {list(source.splits)}, but got {split!r}.")
        if missing := [name for name in model.in_channels if name not in source.in_channels]:
            raise ValueError(
                f"the corpus must have the model's modalities {list(model.in_channels)}, but lacks "
                f"{missing}; where no conversation has one, pass conversations with zeros in its "
                "place and `present` false for it."
            )
        source = source.select(list(model.in_channels))
        for name, fingerprint in model.extractors.items():
            if name in source.extractors:
                check_same(name, source.extractors[name], fingerprint)
            else:
                warn(
                    f"the features of {name!r} must be made as in training, but the corpus does "
                    f"not have how: {fingerprint!r:.200} made those of the training."
                )
        parts = source.splits.values() if split is None else [source.splits[split]]
    else:
        parts = [source]
    view = evaluation_view(model)
    device = next(model.parameters()).device
    for conversations in parts:
        for members in DataLoader(conversations, batch_size=batch_size, collate_fn=list):  # type: ignore[arg-type]
            batch = Batch.from_data_list([_bare(each) for each in members])
            with torch.inference_mode():
                logits = view(batch.to(device)).cpu()
            sizes = batch.ptr.diff().tolist()
            for each, own in zip(members, logits.split(sizes), strict=True):
                if not bool(own.isfinite().all()):
                    where = f" of {each.id!r}" if "id" in each else ""
                    raise NotFiniteError(
                        f"model must give finite predictions, but those{where} are not: its "
                        "training has diverged, or the features are not finite."
                    )
                yield each, own


def _bare(conversation: Conversation) -> Conversation:
    """The conversation without further attributes, such as an id, that others may lack."""
    (schema,) = conversation.schema
    one = conversation
    return trusted_conversation(one.features, one.speaker, one.y, one.present, schema)


def _table(model: ConversationModel, logits: Tensor) -> pd.DataFrame:
    """Table of the predictions for one conversation."""
    rows = rows_of(logits, model.task, model.class_names)
    if model.task == "regression":
        return pd.DataFrame({"predicted": rows} if model.num_classes == 1 else rows)
    table = pd.DataFrame(rows, columns=list(model.class_names))
    if model.task == "classification":
        predicted = table.idxmax(axis=1)
    else:
        predicted = pd.Series([chosen(row) for row in table.to_dict("records")], dtype=object)
    table.insert(0, "predicted", predicted)
    return table
