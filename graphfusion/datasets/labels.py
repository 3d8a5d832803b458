"""Other labels for the same conversations."""

from collections.abc import Callable

from torch import Tensor

from graphfusion.data.conversation import Conversation
from graphfusion.datasets._reading import number_speakers
from graphfusion.datasets.corpus import Corpus


def relabel(
    corpus: Corpus, label: Callable[[Conversation], Tensor]
) -> dict[str, list[Conversation]]:
    """Labels all utterances anew and leaves out those that belong to no class any more.

    The speakers of what remains are numbered by first appearance again. A conversation of which
    nothing remains is left out.

    Args:
        corpus: Whose conversations.
        label: From a conversation to `[U]` int64; -1 for an utterance to leave out.

    Returns:
        The splits of a corpus.
    """
    return {
        split: [
            _keep(conversation, y)
            for conversation in conversations
            if bool(((y := label(conversation)) >= 0).any())
        ]
        for split, conversations in corpus.splits.items()
    }


def _keep(conversation: Conversation, y: Tensor) -> Conversation:
    here = y >= 0
    return Conversation(
        {name: value[here] for name, value in conversation.features.items()},
        number_speakers(conversation.speaker[here].tolist()),
        y[here],
        {name: mask[here] for name, mask in conversation.present.items()},
        id=conversation.id,
        **({"score": conversation.score[here]} if "score" in conversation else {}),
    )
