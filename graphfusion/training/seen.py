"""A model's record of the conversations that it has been trained on in this process.

The record counts for the weights that the training ended with. Other weights, loaded or drawn anew,
have seen nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.storage.checksums import to_bytes
from graphfusion.models.conversation_model import ConversationModel

_RECORD = "_trained_on"  # an attribute of the model, so that its copies have it, too
Keys = frozenset[tuple[str, str]]


@contextmanager
def recorded(
    model: ConversationModel, corpus: Corpus, ids: Sequence[str], before: Keys
) -> Iterator[None]:
    """Records training on conversations of a corpus, if the weights change meanwhile.

    Args:
        model: The model.
        corpus: The corpus.
        ids: The conversations.
        before: Keys of what has led to the weights before.
    """
    first = _digest(model)
    try:
        yield
    finally:
        if (last := _digest(model)) != first:
            vars(model)[_RECORD] = last, before | _keys(corpus, ids)


def check_unseen(model: ConversationModel, corpus: Corpus, ids: Iterable[str]) -> Keys:
    """Checks that none of the conversations has led to the model's weights.

    Another seed holds out other conversations, so a model that is fitted again would be scored on
    some that it was trained on.

    Args:
        model: The model.
        corpus: The corpus.
        ids: The held-out and test conversations.

    Returns:
        Keys of the conversations that have led to the weights.

    Raises:
        ValueError: If one has.
    """
    weights, before = vars(model).get(_RECORD, ("", frozenset()))
    if weights != _digest(model):
        return frozenset()
    if known := sorted(name for name, _ in before & _keys(corpus, ids)):
        raise ValueError(
            "model must not have been trained on held-out or test conversations, but an earlier "
            f"fit has trained it on {len(known)} of them, such as {known[0]!r}: make a new model "
            "for each seed, as fit_seeds does."
        )
    return frozenset(before)


def _keys(corpus: Corpus, ids: Iterable[str]) -> Keys:
    """Ids with a checksum of the labels, since ids of other corpora may be the same."""
    chosen = set(ids)
    return frozenset(
        (name, sha256(to_bytes(y)).hexdigest())
        for split in corpus.splits
        for name, y in zip(corpus.ids(split), corpus.labels(split), strict=True)
        if name in chosen
    )


def _digest(model: ConversationModel) -> str:
    digest = sha256()
    for weight in model.parameters():
        digest.update(to_bytes(weight))
    return digest.hexdigest()
