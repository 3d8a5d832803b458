"""Cross-validation over groups of training conversations."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from urllib.parse import quote

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
    modalities: Sequence[str] | None = None,
    source: str | None = None,
) -> pd.DataFrame:
    """Cross-validates a model over groups of training conversations.

    For each group, a model is trained on all others and scored on this one. The test split is not
    used. The epoch is chosen on the validation split, or else on a tenth of the remaining training
    conversations. Finished runs are reused.

    Args:
        make: A function that builds a model for a corpus and draws its weights from PyTorch's
            global generator, such as :meth:`Recipe.build`.
        corpus: A corpus with a split "train".
        folder: The output folder. It gets a folder for each group's run, with the group's name as
            in a URL.
        settings: The training settings; None: the defaults.
        groups: `{name: ids}`, for instance from :func:`by_prefix`, which can separate speakers; or
            the number n of groups, of which each has every n-th conversation.
        modalities: The modalities given to :meth:`Corpus.select`, saved as in :func:`fit`.
        source: The origin of the corpus, for display.

    Returns:
        A table with a row for each group, and its scores by the strict protocol.

    Raises:
        ValueError: If there are fewer than two groups, one is empty or has no proper name, or a
            conversation is in none or in two.
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
    if empty := [name for name, ids in groups.items() if not ids]:
        raise ValueError(f"groups must have conversations, but {empty} have none.")
    if odd := [name for name in groups if name in ("", ".", "..")]:
        raise ValueError(f"groups must have names that can be those of folders, but got {odd}.")
    others = {split: corpus.ids(split) for split in corpus.splits if split not in ("train", "test")}
    scores = {}
    for seed, (name, left_out) in enumerate(groups.items(), start=1):
        rest = sorted(set(train) - set(left_out), key=train.index)
        part = corpus.with_splits({"train": rest, **others, "test": left_out})
        pl.seed_everything(seed, verbose=False)
        run = fit(
            make(part),
            part,
            Path(folder) / quote(name, safe=""),  # it may be a part of a path
            settings,
            seed=seed,
            resume=True,
            modalities=modalities,
            source=source,
        )
        scores[name] = run.result["strict"]
    return pd.DataFrame.from_dict(scores, orient="index")


def by_prefix(corpus: Corpus, length: int) -> dict[str, list[str]]:
    """Groups training conversations by the first characters of their ids.

    For example, the first five characters of an IEMOCAP id name the session, and so the speakers.

    Args:
        corpus: A corpus with a split "train".
        length: The number of characters.

    Returns:
        Ids of conversations by prefix, for the argument `groups` of :func:`cross_validate`.

    Raises:
        ValueError: If there are fewer than two groups.
    """
    groups: dict[str, list[str]] = {}
    for name in corpus.ids("train"):
        groups.setdefault(name[:length], []).append(name)
    if length < 1 or len(groups) < 2:
        raise ValueError(
            f"length must give at least two groups, but {length} gives {list(groups)}."
        )
    return groups
