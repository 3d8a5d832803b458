"""A small corpus of several classes at once, which can be learned."""

import torch

from graphfusion import Conversation
from graphfusion.datasets import Corpus

CLASSES = ("joy", "anger", "fear")


def several(num_train: int = 16, num_test: int = 6, missing: float = 0.0) -> Corpus:
    """A class applies where its column of the text is positive."""
    generator = torch.Generator().manual_seed(0)

    def conversation(name: str) -> Conversation:
        size = int(torch.randint(3, 8, (1,), generator=generator))
        text = torch.randn(size, 4, generator=generator)
        y = (text[:, :3] > 0).float()
        y[torch.rand(size, generator=generator) < missing] = torch.nan
        return Conversation({"text": text}, torch.arange(size) % 2, y, id=name)

    parts = {"train": num_train, "dev": num_test, "test": num_test}
    splits = {
        split: [conversation(f"{split}_{n}") for n in range(size)] for split, size in parts.items()
    }
    return Corpus(CLASSES, splits)
