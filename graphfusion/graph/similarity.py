"""Angular similarity, the weight of an edge."""

import math

import torch
from torch import Tensor

from graphfusion._utils.autocast import without_autocast
from graphfusion._utils.checks import check_dtype, check_not_empty, check_tensor

# Keeps arccos and its slope finite where two vectors point the same or the opposite way; the value
# is that of the authors' code. It rounds to 1 in float16 and bfloat16.
SHRINK = 0.99999

# A vector's gradient grows as it shrinks: one shorter than this, in units of the least normal
# number of the dtype, has none that fits.
SHORTEST = 2**20


def angular_similarity(a: Tensor, b: Tensor) -> Tensor:
    r"""Angular similarity of every vector of `a` with every vector of `b`.

    .. math:: s(a, b) = 1 - \arccos(c \cos(a, b)) / \pi, \qquad c = 0.99999

    (MM-DFN, graph construction; the constant is the published code's.) A zero vector has no
    direction: its cosine with anything is 0. Values and gradients are finite at any scale; a vector
    so short that its gradient would leave the dtype's range counts as zero.

    Args:
        a: `[..., S, C]`, floating.
        b: `[..., K, C]`, floating.

    Returns:
        `[..., S, K]` in (0, 1); in float32 at least, because `c` rounds to 1 in smaller dtypes.

    Raises:
        TypeError: If an argument is not a floating tensor.
        ValueError: If `a` is empty or the shapes disagree.

    Example:
        >>> import torch
        >>> angular_similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0], [-1.0, 0.0]]))
        tensor([[0.5000, 0.0014]])
    """
    check_tensor("a", a, ["...", "S", "C"])
    check_not_empty("a", a)
    check_tensor("b", b, [*a.shape[:-2], "K", a.size(-1)])
    check_dtype("b", b, a)
    with without_autocast(a.device):
        return similarity_of_cosine(direction(a) @ direction(b).mT)


def direction(x: Tensor) -> Tensor:
    """Unit vectors along the last axis, in float32 at least; a zero vector stays zero."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    # Scaled by its largest entry, a vector's norm neither overflows nor vanishes. The scale cancels
    # in the result, so no gradient needs to flow through it.
    scale = x.detach().abs().amax(-1, keepdim=True)
    zero = scale < SHORTEST * torch.finfo(x.dtype).tiny
    x = x / scale.masked_fill(zero, torch.inf)
    # Of ones in place of zeros, where a norm has no second derivative.
    norm: Tensor = torch.linalg.vector_norm(x.masked_fill(zero, 1), dim=-1, keepdim=True)
    return x / norm.clamp(min=1)  # at least 1 but for zero vectors, as the largest entry is 1


def similarity_of_cosine(cosine: Tensor) -> Tensor:
    """Converts a cosine to the angular similarity."""
    # One pass: the difference from 1, with the angle times alpha.
    return torch.rsub(torch.acos(SHRINK * cosine), 1, alpha=1 / math.pi)
