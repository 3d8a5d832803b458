"""The steps of a GRU as one operator, `graphfusion::gru_steps`, that `torch.compile` need not read.

Nothing that depends on the sequences' lengths is in its signature but their sizes, so that a graph
with it serves any lengths. In eager mode an :class:`torch.autograd.Function` takes the same steps:
it may write into its inputs, and calling it costs less.
"""

from typing import Any

import torch
from torch import Tensor

from graphfusion._kernels.autograd import NO_SECOND_DERIVATIVE
from graphfusion._kernels.gru_steps import run_backward, run_forward
from graphfusion._utils.autocast import without_autocast


@torch.library.custom_op("graphfusion::gru_steps", mutates_args=())
def gru_steps(
    gates: Tensor, weight: Tensor, bias: Tensor, batch_sizes: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`run_forward`, with `batch_sizes [steps]` int64 on the host."""
    with without_autocast(gates.device):  # the dtypes are those of the graph
        return run_forward(gates.clone(), weight, bias, batch_sizes.tolist())


@torch.library.custom_op("graphfusion::gru_steps_backward", mutates_args=())
def gru_steps_backward(
    grad: Tensor,
    states: Tensor,
    gates: Tensor,
    recurrent: Tensor,
    weight: Tensor,
    batch_sizes: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`run_backward`."""
    with without_autocast(grad.device):
        return run_backward(grad, states, gates, recurrent, weight, batch_sizes.tolist())


@gru_steps.register_fake
def _(gates: Tensor, weight: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    shape = gates.size(0), gates.size(1), weight.size(2)
    return gates.new_empty(shape), torch.empty_like(gates), gates.new_empty(shape)


@gru_steps_backward.register_fake
def _(
    _grad: Tensor, _states: Tensor, gates: Tensor, _recurrent: Tensor, weight: Tensor, _: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    of_bias = weight.new_empty(weight.size(0), weight.size(2))
    return torch.empty_like(gates), torch.empty_like(weight), of_bias


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    _, weight, _, batch_sizes = inputs
    ctx.save_for_backward(*output, weight, batch_sizes)


def _differentiate(ctx: Any, grad: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    return *gru_steps_backward(grad, *ctx.saved_tensors), None


def _refuse(_ctx: Any, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    raise RuntimeError(NO_SECOND_DERIVATIVE)


gru_steps.register_autograd(_differentiate, setup_context=_save)
gru_steps_backward.register_autograd(_refuse)
