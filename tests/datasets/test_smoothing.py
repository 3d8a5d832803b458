from itertools import pairwise, product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets._smoothing import smooth
from graphfusion.testing.strategies import seeds


def enumerated(score, transition):
    """The same, from the probability of each of the K^T paths."""
    size, states = score.shape
    marginal = torch.zeros_like(score)
    for path in product(range(states), repeat=size):
        steps = [transition[i, j] for i, j in pairwise(path)]
        weight = torch.stack([score[range(size), path].sum(), *steps]).sum().exp()
        marginal[range(size), path] += weight
    return marginal / marginal.sum(1, keepdim=True)


@given(st.integers(1, 5), st.integers(1, 4), seeds, st.booleans())
def test_the_chain_is_what_its_paths_say(size, states, seed, forbidden):
    generator = torch.Generator().manual_seed(seed)
    score = torch.randn(size, states, generator=generator, dtype=torch.float64)
    transition = torch.rand(states, states, generator=generator, dtype=torch.float64)
    if forbidden:  # some steps are impossible, but never that of staying
        transition *= torch.rand(states, states, generator=generator) < 0.5
        transition += torch.eye(states)
    transition = (transition / transition.sum(1, keepdim=True)).log()
    torch.testing.assert_close(smooth(score, transition), enumerated(score, transition))


@pytest.mark.parametrize("shift", [-1e6, 1e6])
def test_long_chains_of_extreme_likelihoods_stay_probabilities(shift):
    score = shift + 1000 * torch.randn(2000, 3, dtype=torch.float64)
    transition = torch.full((3, 3), 1 / 3, dtype=torch.float64).log()
    expected = score.softmax(1)  # all steps are equally likely, so each observation stands alone
    torch.testing.assert_close(smooth(score, transition), expected)
