"""Relabels the conversations of a corpus."""

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
    """Relabels all utterances, and removes those whose new label is -1.

    The remaining speakers are renumbered by first appearance. Conversations without remaining
    utterances are removed.

    Args:
        corpus: The corpus to relabel.
        label: A function from a conversation to labels `[U]` int64: -1 removes the utterance, -100
            keeps it without a label.

    Returns:
        `{split: conversations}`.
    """
    return {
        split: [
            _apply_labels(conversation, y)
            for conversation in conversations
            if bool(((y := label(conversation)) != LEAVE_OUT).any())
        ]
        for split, conversations in corpus.splits.items()
    }


def translate(y: Tensor, numbers: Tensor) -> Tensor:
    """Maps labels `[U]` to `numbers[y]`; missing labels stay missing."""
    return torch.where(y == MISSING, MISSING, numbers[y.clamp(min=0)])


def _apply_labels(conversation: Conversation, y: Tensor) -> Conversation:
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
