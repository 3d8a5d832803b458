"""A model's record of the conversations that it has been trained on in this process."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from graphfusion.datasets.corpus import Corpus
from graphfusion.models.conversation_model import ConversationModel

_SEEN = "_trained_on"  # an attribute of the model, so that its copies have it, too


def mark_seen(model: ConversationModel, data: Mapping[str, Any], ids: Sequence[str]) -> None:
    """Notes that a model is trained on these conversations of a corpus."""
    seen = vars(model).get(_SEEN, {})
    before = seen.get(data["fingerprint"], frozenset())
    vars(model)[_SEEN] = seen | {data["fingerprint"]: before | frozenset(ids)}


def check_unseen(model: ConversationModel, data: Mapping[str, Any], corpus: Corpus) -> None:
    """Checks that no held-out or test conversation has trained this model.

    Another seed holds out other conversations, so a model that is fitted again would be scored on
    some that it was trained on.

    Raises:
        ValueError: If one has.
    """
    seen = vars(model).get(_SEEN, {}).get(data["fingerprint"], frozenset())
    test = corpus.ids("test") if corpus.splits.get("test") else []
    if known := [each for each in chain(data["held_out"], test) if each in seen]:
        raise ValueError(
            "model must not have been trained on held-out or test conversations, but an earlier "
            f"fit has trained it on {len(known)} of them, such as {known[0]!r}: make a new model "
            "for each seed, as fit_seeds does."
        )
