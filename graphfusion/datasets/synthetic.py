"""Synthetic conversations in which the emotion depends on speaker, history and all modalities."""

import torch

from graphfusion.conversation import Conversation
from graphfusion.datasets.corpus import Corpus

CLASSES = ("calm sad", "calm glad", "stirred sad", "stirred glad")


def synthetic(
    num_train: int = 96, num_test: int = 32, persistence: float = 0.85, seed: int = 0
) -> Corpus:
    """Conversations made by a known process.

    An emotion is a pair of an arousal (calm or stirred) and a valence (sad or glad). Every speaker
    has an emotion of their own, which each of their turns keeps with probability `persistence` and
    otherwise draws anew. Text tells the valence and audio the arousal, each in two noisy directions
    among many that mean nothing; video tells a little of both. So one modality alone cannot name
    the emotion, one utterance alone is mostly noise, and the turns of the other speaker mislead.

    Args:
        num_train: Number of training conversations.
        num_test: Number of test conversations.
        persistence: In [0, 1].
        seed: The same seed gives the same conversations.

    Returns:
        A corpus with the splits "train" and "test", and text (20), audio (16) and visual (8).
    """
    generator = torch.Generator().manual_seed(seed)
    conversations = [
        _conversation(f"made_{i}", persistence, generator) for i in range(num_train + num_test)
    ]
    splits = {"train": conversations[:num_train], "test": conversations[num_train:]}
    return Corpus(CLASSES, splits)


def _conversation(name: str, persistence: float, generator: torch.Generator) -> Conversation:
    def draw(high: int, *size: int) -> torch.Tensor:
        return torch.randint(high, size, generator=generator)

    def noise(*size: int) -> torch.Tensor:
        return torch.randn(*size, generator=generator)

    size = int(12 + draw(24, 1))
    speaker = draw(2, size)
    speaker[0] = 0  # numbered by first appearance
    emotion = draw(2, 2, 2).float()  # [speaker, (arousal, valence)]
    y = torch.empty(size, 2)
    for u, who in enumerate(speaker):
        if float(torch.rand(1, generator=generator)) > persistence:
            emotion[who] = draw(2, 2).float()
        y[u] = emotion[who]
    arousal, valence = (2 * y - 1).unbind(1)
    text, audio, visual = noise(size, 20), noise(size, 16), noise(size, 8)
    text[:, :2] += 0.6 * valence.unsqueeze(1)
    audio[:, :2] += 0.6 * arousal.unsqueeze(1)
    visual[:, 0] += 0.4 * valence
    visual[:, 1] += 0.4 * arousal
    features = {"text": text, "audio": audio, "visual": visual}
    return Conversation(features, speaker, y=(2 * y[:, 0] + y[:, 1]).long(), id=name)
