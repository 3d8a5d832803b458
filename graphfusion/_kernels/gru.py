"""The encoders' GRU: PyTorch's, with a training step that is fast on a CPU, too."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from graphfusion._kernels.autograd import Gradients, first_derivative
from graphfusion._kernels.dropout import dropout
from graphfusion._kernels.switch import use_kernels


class PackedGRU(torch.nn.GRU):
    """A :class:`torch.nn.GRU` that learns from packed sequences of many steps fast on a CPU.

    There, PyTorch goes back through every operation of every step, and adds up the weights'
    gradients step by step. Here, the derivative is written out: what a step multiplies its gradient
    with is computed for all steps at once, both directions run side by side, and the gradient of a
    weight is one product at the end. It has no second derivative.
    """

    def forward(  # type: ignore[override]
        self,
        input: Tensor | PackedSequence,  # noqa: A002 - PyTorch's name
        hx: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """As :class:`torch.nn.GRU`."""
        if not isinstance(input, PackedSequence) or hx is not None or not self._is_ours(input):
            out: tuple[Tensor | PackedSequence, Tensor] = super().forward(input, hx)
            return out
        x, batch_sizes, _, _ = input
        self.check_input(x, batch_sizes)
        first, step, sequence, length = _places(batch_sizes)
        backwards = first[length[sequence] - 1 - step] + sequence
        last = first[length - 1] + torch.arange(len(length), device=first.device)
        sizes, hidden = batch_sizes.tolist(), []
        for layer in range(self.num_layers):
            if layer:
                x = dropout(x, self.dropout, self.training)
            inputs = [x, x.index_select(0, backwards)] if self.bidirectional else [x]
            states = self._run(layer, inputs, sizes)
            hidden.append(states.index_select(1, last))
            x = states[0]
            if self.bidirectional:
                x = torch.cat([x, states[1].index_select(0, backwards)], 1)
        return PackedSequence(x, batch_sizes), torch.cat(hidden)

    def _is_ours(self, packed: PackedSequence) -> bool:
        """Whether to take our steps: where there are gradients; without, PyTorch's are fast.

        And where values are dropped: a checkpoint runs without gradients, and then again with them,
        and the same values have to be dropped.
        """
        return (
            (torch.is_grad_enabled() or (self.training and self.dropout > 0))
            and use_kernels(packed.data)
            and packed.sorted_indices is None
            and self.bias
        )

    def _run(self, layer: int, inputs: list[Tensor], batch_sizes: list[int]) -> Tensor:
        """The states `[D, n, H]` of a layer that reads D packed inputs `[n, C]` side by side."""
        names = [f"l{layer}", f"l{layer}_reverse"][: len(inputs)]
        weight, bias = (
            torch.stack([getattr(self, f"{kind}_hh_{name}") for name in names])
            for kind in ("weight", "bias")
        )
        # The reset and the update gate have the recurrent bias in their input parts already.
        both, candidate = bias.split([2 * self.hidden_size, self.hidden_size], 1)
        both = torch.nn.functional.pad(both, (0, self.hidden_size))
        gates = []
        for x, name, shift in zip(inputs, names, both, strict=True):
            shift = shift + getattr(self, f"bias_ih_{name}")
            gates.append(torch.addmm(shift, x, getattr(self, f"weight_ih_{name}").t()))
        parts = torch.stack(gates).to(weight.dtype)  # autocast does not round the states
        states: Tensor
        states, *_ = _Steps.apply(parts, weight, candidate, batch_sizes)  # type: ignore[no-untyped-call]
        return states


class _Steps(torch.autograd.Function):
    r"""From the input parts of the gates `[D, n, 3H]` to the states `[D, n, H]`, step by step.

    With the reset gate r, the update gate z, the candidate n and the recurrent part m of the
    candidate, a step is :math:`h = n + z (h' - n)`, where :math:`n = \tanh(\cdot + r m)`.
    """

    @staticmethod
    def forward(
        gates: Tensor, weight: Tensor, bias: Tensor, batch_sizes: list[int]
    ) -> tuple[Tensor, ...]:
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
        batch_sizes = ctx.batch_sizes
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
        return out, of_weight, of_bias, None


def _places(batch_sizes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where each step begins, the step and sequence of each item, and each sequence's length."""
    first = batch_sizes.cumsum(0) - batch_sizes
    step = torch.arange(len(batch_sizes), device=first.device).repeat_interleave(batch_sizes)
    sequence = torch.arange(len(step), device=first.device) - first[step]
    return first, step, sequence, sequence.bincount()
