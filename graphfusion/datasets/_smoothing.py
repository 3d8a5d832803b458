"""Forward-backward smoothing of a Markov chain."""

import torch
from torch import Tensor


def smooth(score: Tensor, transition: Tensor) -> Tensor:
    """Computes the posterior of each state by forward-backward, with a uniform initial state.

    Args:
        score: `[T, K]`, the log-likelihood of each step's observation given each state, up to a
            constant per step.
        transition: `[K, K]`, the log-probability of a transition from the row's state to the
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
