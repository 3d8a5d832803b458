"""The one switch between our kernels and PyTorch's own modules."""

import os

import torch
from torch import Tensor

from graphfusion._utils.tracing import is_traced

#: Set the environment variable GRAPHFUSION_KERNELS to 0 to use only PyTorch's modules.
ENABLED = os.environ.get("GRAPHFUSION_KERNELS", "1") != "0"


def use_kernels(x: Tensor) -> bool:
    """Whether our kernels run: on a CPU, in eager mode. Elsewhere PyTorch fuses its own."""
    return ENABLED and x.device.type == "cpu" and not is_traced()


def takes_padded(x: Tensor) -> bool:
    """Whether cuDNN runs recurrent steps: its quickest kernels want sequences of equal length."""
    return x.is_cuda and torch.backends.cudnn.is_acceptable(x)


def use_operators(x: Tensor) -> bool:
    """Whether our operators stand in a compiled graph: on a CPU, and in no `torch.func`.

    PyTorch has no functional derivatives of such operators (torch 2.13).
    """
    usable = ENABLED and x.device.type == "cpu" and torch.compiler.is_compiling()
    return usable and not _is_transformed()


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _is_transformed() -> bool:
    """Whether it is inside a transform of `torch.func`."""
    return torch._C._functorch.maybe_current_level() is not None
