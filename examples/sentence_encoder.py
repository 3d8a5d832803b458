"""A conversation graph around any sentence encoder, in a model of thirty lines.

    python examples/sentence_encoder.py

The encoder is any module that makes one vector of an utterance's tokens: here a bag of word
vectors, or the mean of `AutoModel.from_pretrained(name)(input_ids=tokens).last_hidden_state`.

Each synthetic conversation is about one of four topics, the class of its utterances. Only one
utterance in four has a word of the topic, so most must be classified from those of others.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from graphfusion import BatchLayout, ConversationGraph, DynamicFusion, SpeakerEncoder

TOPICS, WORDS, LENGTH = 4, 100, 6  # the first ten words belong to the first topic, and so on


class ConversationClassifier(torch.nn.Module):
    """Classifies each utterance from all utterances of its conversation.

    Args:
        encoder: A module that encodes tokens `[U, T]` as `[U, channels]`.
        channels: Size of these vectors.
        num_classes: Number of classes.
        window: Number of utterances before and after to which each one is connected; None: all.
    """

    def __init__(
        self, encoder: torch.nn.Module, channels: int, num_classes: int, window: int | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.speakers = SpeakerEncoder(channels, channels // 2)
        self.graph = ConversationGraph(past=window, future=window)
        self.fusion = DynamicFusion(channels, hidden_channels=32, num_layers=2)
        self.classify = torch.nn.Linear(self.fusion.out_channels, num_classes)

    def forward(self, tokens: Tensor, layout: BatchLayout) -> Tensor:
        """Returns logits, `[U, num_classes]`."""
        x = self.encoder(tokens).unsqueeze(1)  # [U, 1, C]: text is the only modality
        x = x + self.speakers(x, layout)
        x = self.fusion(x, self.graph(x, layout))
        logits: Tensor = self.classify(x.squeeze(1))
        return logits


class Conversations(NamedTuple):
    """Concatenated conversations: tokens `[U, T]`, their layout, and topics `[U]`."""

    tokens: Tensor
    layout: BatchLayout
    y: Tensor


def make_conversations(num_conversations: int, seed: int) -> Conversations:
    """Draws conversations of 6 to 14 utterances between four people."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(6, 15, (num_conversations,), generator=generator)
    ptr = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    size = int(ptr[-1])
    y = torch.randint(TOPICS, (num_conversations,), generator=generator).repeat_interleave(lengths)
    tokens = torch.randint(10 * TOPICS, WORDS, (size, LENGTH), generator=generator)
    informative = torch.rand(size, generator=generator) < 0.25
    word = 10 * y + torch.randint(10, (size,), generator=generator)
    tokens[:, 0] = torch.where(informative, word, tokens[:, 0])
    speaker = torch.randint(4, (size,), generator=generator)
    return Conversations(tokens, BatchLayout(ptr, speaker), y)


def train(window: int | None, seed: int, steps: int = 150) -> float:
    """Trains on new conversations at each step; returns the accuracy on 100 test conversations."""
    torch.manual_seed(seed)
    model = ConversationClassifier(torch.nn.EmbeddingBag(WORDS, 32), 32, TOPICS, window)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for step in range(steps):
        batch = make_conversations(32, seed=1000 * seed + step)
        optimizer.zero_grad()
        cross_entropy(model(batch.tokens, batch.layout), batch.y).backward()
        optimizer.step()
    others = make_conversations(100, seed=1000 * seed + steps)
    model.eval()
    with torch.no_grad():
        predicted = model(others.tokens, others.layout).argmax(1)
    return float((predicted == others.y).float().mean())


def main(seeds: int = 3) -> dict[str, list[float]]:
    """Prints and returns the accuracy of each seed, with the graph and without."""
    scores = {}
    for name, window in {"with the graph": None, "without the graph": 0}.items():
        scores[name] = [train(window, seed) for seed in range(seeds)]
        print(f"{name}: accuracy {', '.join(f'{100 * each:.1f}' for each in scores[name])} %")
    return scores


if __name__ == "__main__":
    main()
