"""The strategies' batches as conversations."""

from graphfusion import Conversation
from graphfusion.testing import RaggedBatch


def members(batch: RaggedBatch) -> list[Conversation]:
    """Each conversation of the batch."""
    return [
        Conversation(each.features, each.speaker, present=each.named_present)
        for each in batch.conversations()
    ]
