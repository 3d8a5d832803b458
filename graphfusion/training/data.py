"""The split of held-out conversations, and batches in a reproducible order."""

import random

import numpy as np

from graphfusion._utils.counted import counted
from graphfusion.datasets.checks.splits import VALIDATION, too_few, wrong_names
from graphfusion.datasets.corpus import Corpus


def draw_seed(*keys: int) -> int:
    """Derives a seed from a tuple of numbers, such as (seed, epoch, step, rank)."""
    return int(np.random.SeedSequence(keys).generate_state(1)[0])


def check_splits(corpus: Corpus) -> None:
    """Checks that training uses every split of the corpus.

    Raises:
        ValueError: If there is a split other than "train", "test" and one for validation.
    """
    for problem in wrong_names({name: len(each) for name, each in corpus.splits.items()}):
        raise ValueError(f"corpus {problem}")


def held_out(corpus: Corpus, seed: int) -> tuple[list[str], list[str]]:
    """Ids of the conversations that :func:`fit` trains on, and of those that choose the epoch.

    The latter are held out: the validation split, or else a random tenth of "train".

    Args:
        corpus: A corpus with a split "train".
        seed: The seed of the run.

    Raises:
        KeyError: If there is no split "train".
        ValueError: If there is only one training conversation, and no validation split.

    Example:
        >>> from graphfusion.datasets import synthetic
        >>> from graphfusion.training import held_out
        >>> training, validation = held_out(synthetic(num_train=40), seed=0)
        >>> len(training), len(validation)
        (36, 4)
    """
    train = corpus.ids("train")
    for name in VALIDATION:
        if corpus.splits.get(name):
            return train, corpus.ids(name)
    for problem in too_few({"train": len(train)}):
        raise ValueError(f"corpus {problem}")
    order = random.Random(seed).sample(range(len(train)), len(train))  # noqa: S311
    share = max(1, len(train) // 10)
    return [train[i] for i in order[share:]], [train[i] for i in order[:share]]


def batches(
    num_conversations: int, batch_size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
) -> list[list[int]]:
    """Indices of this process's conversations in each training step of an epoch.

    The order depends only on the seed and the epoch. Steps differ in size by at most one
    conversation, so that each process has a part of the last one.

    Args:
        num_conversations: Number of training conversations.
        batch_size: Maximum number of conversations in a step, over all processes.
        seed: The seed of the run.
        epoch: The epoch, from 0.
        rank: The index of this process.
        world: The number of processes.

    Raises:
        ValueError: If a step has fewer conversations than there are processes.
    """
    order = np.random.default_rng(draw_seed(seed, epoch)).permutation(num_conversations)
    steps = np.array_split(order, -(-num_conversations // batch_size))
    if min(map(len, steps)) < world:
        raise ValueError(
            f"every step must have a conversation for each of the {world} processes, but one of "
            f"{counted(num_conversations, 'conversation')} in steps of at most {batch_size} has "
            f"{min(map(len, steps))}."
        )
    return [step[rank::world].tolist() for step in steps]
