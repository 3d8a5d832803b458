"""Cross-validation: each group of training conversations is left out once."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path

import pandas as pd
import pytorch_lightning as pl

from graphfusion.datasets.corpus import Corpus
from graphfusion.models.conversation_model import ConversationModel
from graphfusion.training.fit import fit
from graphfusion.training.settings import Settings


def cross_validate(
    make: Callable[[Corpus], ConversationModel],
    corpus: Corpus,
    folder: str | PathLike[str],
    settings: Settings | None = None,
    *,
    groups: Mapping[str, Sequence[str]] | int = 5,
    source: str | None = None,
) -> pd.DataFrame:
    """Trains on all groups of the training conversations but one, and scores that one.

    The test conversations are not looked at. A tenth of the rest, or the validation split if there
    is one, chooses the epoch. Runs that are there already are not run again.

    Args:
        make: Makes a model for a corpus, its weights drawn from PyTorch's generator: the `build` of
            a :class:`Recipe`, or a function of your own.
        corpus: Of whose split "train" the groups are.
        folder: Gets a folder for each group's run.
        settings: How to train.
        groups: `{name: ids}`, such as those of :func:`by_prefix`, which keeps speakers apart; or
            how many, and then each takes every so many-th conversation.
        source: Where the corpus comes from, for people to read.

    Returns:
        A row for each group, with its scores by the strict protocol.

    Raises:
        ValueError: If there are fewer than two groups, or a conversation is in none or in two.
    """
    train = corpus.ids("train")
    if isinstance(groups, int):
        if not 2 <= groups <= len(train):
            raise ValueError(f"groups must be from 2 to {len(train)}, but got {groups}.")
        groups = {f"fold_{n + 1}": train[n::groups] for n in range(groups)}
    if len(groups) < 2 or sorted(train) != sorted(name for ids in groups.values() for name in ids):
        raise ValueError(
            "groups must be at least two, with each training conversation in one of them, but got "
            f"{ {name: len(ids) for name, ids in groups.items()} } of {len(train)}."
        )
    others = {split: corpus.ids(split) for split in corpus.splits if split not in ("train", "test")}
    scores = {}
    for seed, (name, left_out) in enumerate(groups.items(), start=1):
        rest = sorted(set(train) - set(left_out), key=train.index)
        part = corpus.with_splits({"train": rest, **others, "test": left_out})
        pl.seed_everything(seed, verbose=False)
        run = fit(
            make(part), part, Path(folder) / name, settings, seed=seed, resume=True, source=source
        )
        scores[name] = run.result["strict"]
    return pd.DataFrame.from_dict(scores, orient="index")


def by_prefix(corpus: Corpus, length: int) -> dict[str, list[str]]:
    """Groups of the training conversations whose ids begin alike, as those of a session may.

    Raises:
        ValueError: If there are not two groups.
    """
    groups: dict[str, list[str]] = {}
    for name in corpus.ids("train"):
        groups.setdefault(name[:length], []).append(name)
    if length < 1 or len(groups) < 2:
        raise ValueError(
            f"length must give at least two groups, but {length} gives {list(groups)}."
        )
    return groups
