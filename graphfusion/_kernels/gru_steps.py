r"""The steps of a layer of a GRU over packed sequences, with the derivative written out.

With the reset gate r, the update gate z, the candidate n and the recurrent part m of the candidate,
a step is :math:`h = n + z (h' - n)`, where :math:`n = \tanh(\cdot + r m)`.
"""

from typing import Any

import torch
from torch import Tensor

from graphfusion._kernels.autograd import Gradients, first_derivative


def run_forward(
    gates: Tensor, weight: Tensor, bias: Tensor, batch_sizes: list[int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Takes all steps.

    Args:
        gates: `[D, n, 3H]`, the input parts of the gates of D directions side by side; here the
            gates themselves are put.
        weight: `[D, 3H, H]`, the recurrent weights.
        bias: `[D, H]`, the recurrent bias of the candidate.
        batch_sizes: How many of the n items each step has.

    Returns:
        The states `[D, n, H]`; the gates; and the recurrent parts `[D, n, H]` of the candidates.
    """
    size = 2 * weight.size(2)
    to_both, to_candidate = weight[:, :size].mT, weight[:, size:].mT
    recurrent = bias.unsqueeze(1).repeat(1, gates.size(1), 1)
    states = torch.empty_like(recurrent)
    state = states.new_zeros(len(states), batch_sizes[0], states.size(2))
    parts = (gates[..., :size], *gates.chunk(3, -1), recurrent, states)
    steps = zip(*(part.split(batch_sizes, 1) for part in parts), strict=True)
    for both, r, z, n, m, new in steps:
        state = state[:, : new.size(1)]
        both.baddbmm_(state, to_both).sigmoid_()
        m.baddbmm_(state, to_candidate)
        n.addcmul_(r, m).tanh_()
        state = torch.lerp(n, state, z, out=new)
    return states, gates, recurrent


def run_backward(
    grad: Tensor,
    states: Tensor,
    gates: Tensor,
    recurrent: Tensor,
    weight: Tensor,
    batch_sizes: list[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of the gates' input parts, the weights and the bias, from the states'."""
    r, z, n = gates.chunk(3, -1)
    first = states.new_zeros(len(states), batch_sizes[0], states.size(2))
    goes_on = zip(states.split(batch_sizes, 1), batch_sizes[1:], strict=False)
    before = torch.cat([first, *(state[:, :size] for state, size in goes_on)], 1)

    # What the gradient of a state is to be multiplied with, for the recurrent parts.
    to_candidate = (1 - z) * (1 - n.square())
    out = torch.empty_like(gates)
    of_r, of_z, of_m = out.chunk(3, -1)
    torch.mul(to_candidate, r, out=of_m)
    torch.mul(of_m, recurrent, out=of_r).mul_(1 - r)
    torch.mul(before - n, z, out=of_z).mul_(1 - z)

    grad = grad.clone()
    steps = list(zip(*(part.split(batch_sizes, 1) for part in (out, grad, z)), strict=True))
    for step in reversed(range(len(steps))):
        of_gates, of_state, kept = steps[step]
        of_gates.unflatten(2, (3, -1)).mul_(of_state.unsqueeze(2))
        if step:
            earlier = steps[step - 1][1][:, : batch_sizes[step]]
            earlier.addcmul_(of_state, kept).baddbmm_(of_gates, weight)
    of_weight, of_bias = out.mT @ before, of_m.sum(1)
    torch.mul(grad, to_candidate, out=of_m)  # without r: the part from the input
    return out, of_weight, of_bias


class Steps(torch.autograd.Function):
    """All steps in eager mode: the gates take the place of their input parts."""

    @staticmethod
    def forward(
        gates: Tensor, weight: Tensor, bias: Tensor, batch_sizes: list[int]
    ) -> tuple[Tensor, ...]:
        return run_forward(gates, weight, bias, batch_sizes)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        _, weight, _, ctx.batch_sizes = inputs
        states, gates, recurrent = output
        ctx.mark_dirty(gates)
        ctx.mark_non_differentiable(recurrent)
        ctx.set_materialize_grads(False)  # or it would fill zeros for these two
        ctx.save_for_backward(states, gates, recurrent, weight)

    @staticmethod
    @first_derivative
    def backward(ctx: Any, grad: Tensor | None, *_: None) -> Gradients:
        if grad is None:
            return None, None, None, None
        states, gates, recurrent, weight = ctx.saved_tensors
        out = run_backward(grad, states, gates, recurrent, weight, ctx.batch_sizes)
        return *out, None
