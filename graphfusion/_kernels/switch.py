"""The one switch between our kernels and PyTorch's own modules."""

import os

from torch import Tensor

from graphfusion._utils.tracing import is_traced

#: Set the environment variable GRAPHFUSION_KERNELS to 0 to run PyTorch's modules alone.
ENABLED = os.environ.get("GRAPHFUSION_KERNELS", "1") != "0"


def use_kernels(x: Tensor) -> bool:
    """Whether our kernels run: on a CPU, in eager mode. Elsewhere PyTorch fuses its own."""
    return ENABLED and x.device.type == "cpu" and not is_traced()
