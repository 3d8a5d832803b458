"""Training and held-out conversations, and the order of batches in each process."""

import random
from collections.abc import Sequence

import numpy as np
import pytorch_lightning as pl
from torch_geometric.loader import DataLoader

from graphfusion.data.conversation import Conversation
from graphfusion.datasets.checks.splits import VALIDATION, too_few, wrong_names
from graphfusion.datasets.corpus import Corpus


def draw_seed(*keys: int) -> int:
    """A seed for every tuple of numbers, such as (seed, epoch, step, rank)."""
    return int(np.random.SeedSequence(keys).generate_state(1)[0])


def check_splits(corpus: Corpus) -> None:
    """Checks that no split would be left out in silence.

    Raises:
        ValueError: If there is another split than "train", "test" and one for validation.
    """
    for problem in wrong_names({name: len(each) for name, each in corpus.splits.items()}):
        raise ValueError(f"corpus {problem}")


def held_out(corpus: Corpus, seed: int) -> tuple[list[str], list[str]]:
    """The ids of the conversations to train on, and of those that choose the epoch.

    These are a split of the corpus, or else a tenth of "train", drawn by the seed.

    Raises:
        ValueError: If there is but one training conversation.
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
    """An epoch's steps: the conversations of each that are this process's share.

    A function of seed and epoch alone. Steps are as even as they can be, so that no process is left
    without a share of the last one.

    Raises:
        ValueError: If there are not enough conversations for all processes.
    """
    order = np.random.default_rng(draw_seed(seed, epoch)).permutation(num_conversations)
    steps = np.array_split(order, -(-num_conversations // batch_size))
    if min(map(len, steps)) < world:
        raise ValueError(
            f"every step must have a conversation for each of the {world} processes, but one of "
            f"{num_conversations} conversations in steps of at most {batch_size} has "
            f"{min(map(len, steps))}."
        )
    return [step[rank::world].tolist() for step in steps]


class Data(pl.LightningDataModule):
    """Batches of conversations, drawn anew each epoch.

    Args:
        training: What is trained on.
        scored: What is scored after each epoch, one after the other.
        batch_size: The most conversations in a step.
        seed: Of the order.
        workers: Processes that read conversations; 0: the trainer's own.
    """

    def __init__(
        self,
        training: Sequence[Conversation],
        scored: Sequence[Sequence[Conversation]],
        batch_size: int,
        seed: int,
        workers: int,
    ) -> None:
        super().__init__()
        self.training = training
        self.scored = scored
        self.batch_size = batch_size
        self.seed = seed
        self.workers = workers

    def train_dataloader(self) -> DataLoader:
        """This process's share of the epoch's steps."""
        assert self.trainer is not None  # noqa: S101 - the trainer calls this
        share = batches(
            len(self.training),
            self.batch_size,
            self.seed,
            self.trainer.current_epoch,
            self.trainer.global_rank,
            self.trainer.world_size,
        )
        return DataLoader(self.training, batch_sampler=share, num_workers=self.workers)

    def val_dataloader(self) -> list[DataLoader]:
        """All that is scored."""
        return [
            DataLoader(each, batch_size=self.batch_size, num_workers=self.workers)
            for each in self.scored
        ]
