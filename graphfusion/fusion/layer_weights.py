"""The weights of graph convolutions with initial residual and identity mapping (GCNII)."""

import torch
from torch import Tensor


def layer_weights(weight: Tensor, alpha: float, theta: float) -> tuple[Tensor, Tensor]:
    r"""The linear maps of all layers, with their identity mapping (Chen et al., ICML 2020).

    A layer's pre-activation is linear in `[p ; H0]`, so its identity part is added to the small
    weight rather than to the large activations:
    :math:`\theta_k W_k + (1 - \theta_k) [(1 - \alpha) I ; \alpha I]`, with
    :math:`\theta_k = \log(\theta / k + 1)` for layer k = 1..L.

    Args:
        weight: `[L, 2H, H]`, the layers' weights :math:`W_k`.
        alpha: Share of :math:`H_0` in each layer.
        theta: Strength of the weights; their share falls with depth.

    Returns:
        The maps of p and of H0, `[L, H, H]` each.

    Example:
        >>> import torch
        >>> p_weight, h0_weight = layer_weights(torch.zeros(1, 2, 1), alpha=0.2, theta=0.0)
        >>> round(p_weight.item(), 3), round(h0_weight.item(), 3)
        (0.8, 0.2)
    """
    layer = torch.arange(1, weight.size(0) + 1, dtype=weight.dtype, device=weight.device)
    share = (theta / layer).log1p().view(-1, 1, 1)
    identity = torch.eye(weight.size(2), dtype=share.dtype, device=share.device)
    skip = torch.cat([(1 - alpha) * identity, alpha * identity])
    p_weight, h0_weight = torch.lerp(skip, weight, share).chunk(2, 1)
    return p_weight, h0_weight
