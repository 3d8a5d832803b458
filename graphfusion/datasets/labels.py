"""Other labels for the same conversations."""

from collections.abc import Callable

import torch
from torch import Tensor

from graphfusion.data.conversation import Conversation
from graphfusion.data.labels import MISSING
from graphfusion.datasets.corpus import Corpus
from graphfusion.datasets.readers._reading import number_speakers

LEAVE_OUT = -1


def relabel(
    corpus: Corpus, label: Callable[[Conversation], Tensor]
) -> dict[str, list[Conversation]]:
    """Labels all utterances anew and leaves out those that belong to no class any more.

    The speakers of what remains are numbered by first appearance again. A conversation of which
    nothing remains is left out.

    Args:
        corpus: Whose conversations.
        label: From a conversation to `[U]` int64: -1 for an utterance to leave out, -100 for one
            without a label.

    Returns:
        The splits of a corpus.
    """
    return {
        split: [
            _keep(conversation, y)
            for conversation in conversations
            if bool(((y := label(conversation)) != LEAVE_OUT).any())
        ]
        for split, conversations in corpus.splits.items()
    }


def translate(y: Tensor, numbers: Tensor) -> Tensor:
    """The numbers `numbers[y]`, where there is a label; what is missing stays missing."""
    return torch.where(y == MISSING, MISSING, numbers[y.clamp(min=0)])


def _keep(conversation: Conversation, y: Tensor) -> Conversation:
    here = y != LEAVE_OUT
    present = {name: mask[here] for name, mask in conversation.present.items()}
    return Conversation(
        {name: value[here] for name, value in conversation.features.items()},
        number_speakers(conversation.speaker[here].tolist()),
        y[here],
        present,
        id=conversation.id,
        **({"score": conversation.score[here]} if "score" in conversation else {}),
    )
