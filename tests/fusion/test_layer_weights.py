"""The identity mapping as a part of each layer's weight."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.fusion.layer_weights import layer_weights
from graphfusion.testing.strategies import seeds
from tests.asserts import assert_equal


@given(seeds, st.integers(1, 4), st.integers(1, 4), st.floats(0, 1), st.floats(0, 5))
def test_the_maps_are_the_convolution_of_gcn2(
    seed: int, num_layers: int, size: int, alpha: float, theta: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight, p, h0 = (
        torch.randn(*shape, dtype=torch.float64, generator=generator)
        for shape in ((num_layers, 2 * size, size), (3, size), (3, size))
    )
    maps = layer_weights(weight, alpha, theta)
    for k, (p_weight, h0_weight) in enumerate(zip(*maps, strict=True), start=1):
        share = math.log(theta / k + 1)
        convolved = share * torch.cat([p, h0], 1) @ weight[k - 1]
        expected = convolved + (1 - share) * ((1 - alpha) * p + alpha * h0)
        assert_equal(p @ p_weight + h0 @ h0_weight, expected)
    assert len(maps[0]) == num_layers
