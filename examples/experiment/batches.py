"""Which conversations a process sees in which step: a function of seed and epoch alone."""

import numpy as np


def draw_seed(*keys: int) -> int:
    """A seed for every tuple of numbers, such as (seed, epoch, step, rank)."""
    return int(np.random.SeedSequence(keys).generate_state(1)[0])


def batches(
    num_conversations: int, batch_size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
) -> list[list[int]]:
    """An epoch's steps: the conversations of each that are this process's share.

    Steps are as even as they can be, so that no process is left without a share of the last one.

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
