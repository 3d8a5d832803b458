"""What is known of each state of a Markov chain, given observations of all of them."""

import torch
from torch import Tensor


def smooth(score: Tensor, transition: Tensor) -> Tensor:
    """Runs forward and backward through a chain whose first state may be any, equally likely.

    Args:
        score: `[T, K]`, for each step and state the log-likelihood of what is observed there, up to
            a constant a step.
        transition: `[K, K]`, the logarithm of the probability to go from a row's state to a
            column's.

    Returns:
        `[T, K]`, the probability of each state given all observations.
    """
    forward = [score[0]]
    for step in score[1:]:
        forward.append(step + (forward[-1].unsqueeze(1) + transition).logsumexp(0))
    backward = [torch.zeros_like(score[0])]
    for step in score[1:].flip(0):
        backward.append((transition + step + backward[-1]).logsumexp(1))
    return (torch.stack(forward) + torch.stack(backward).flip(0)).softmax(1)
