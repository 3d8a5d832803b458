"""The gated memory: an LSTM cell with a fast step over many nodes on a CPU."""

from typing import Any

import torch
from torch import Tensor

from graphfusion._kernels.autograd import first_derivative
from graphfusion._kernels.switch import use_kernels
from graphfusion._utils.autocast import is_autocasting


class NodeLSTM(torch.nn.LSTMCell):
    r"""A :class:`torch.nn.LSTMCell` over nodes that all take the same number of steps.

    PyTorch fuses a step on a GPU, and `torch.compile` fuses it anywhere. In eager mode on a CPU, it
    is a dozen passes over tensors that do not fit the cache, and more backward. There, both weights
    are joined once for all steps, the derivative is written out, and one sigmoid serves all four
    gates, because :math:`\tanh(x) = 2 \sigma(2x) - 1`.
    """

    def weights(self, x: Tensor, steps: int) -> list[tuple[Tensor, ...]]:
        """The weights of each of several steps, for :meth:`step`.

        Each step has views of its own. Their gradients are added in one pass at the end, where
        those of a weight that is used in every step are added step by step.

        Returns:
            On a CPU, the weight `[4H, I + H]` and bias `[4H]` of `[q ; g]`, the candidate's rows
            doubled; elsewhere, and compiled, PyTorch's four.
        """
        if use_kernels(x):
            double = torch.ones_like(self.bias_ih)
            double[2 * self.hidden_size : 3 * self.hidden_size] = 2
            weight = torch.cat([self.weight_ih, self.weight_hh], 1)
            once = [double.unsqueeze(1) * weight, double * (self.bias_ih + self.bias_hh)]
        else:
            once = [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]
        if is_autocasting(x.device):  # it keeps a parameter's rounded copy, but not that of a view
            return [tuple(once)] * steps
        views = [each.expand(steps, *each.shape).unbind() for each in once]
        return list(zip(*views, strict=True))

    def step(
        self, q: Tensor, g: Tensor, c: Tensor, weights: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        """Takes one step.

        Args:
            q: `[..., I]`, the input.
            g: `[..., H]`, what the memory let out last.
            c: `[..., H]`, the memory.
            weights: One of those that :meth:`weights` returned.

        Returns:
            The next g and c.
        """
        shape = q.shape
        q, g, c = (each.flatten(0, -2) for each in (q, g, c))
        if len(weights) == 4:
            g, c = torch.lstm_cell(q, (g, c), *weights)
        else:
            weight, bias = weights
            gates = torch.addmm(bias, torch.cat([q, g], 1), weight.t())
            # Without gradients, what autograd keeps books of is a twentieth of a model's inference.
            step = _Gates.apply if torch.is_grad_enabled() else _Gates.forward
            g, c, *_ = step(gates, c)
        return g.view(shape), c.view(shape)

    def gates(self, q: Tensor, g: Tensor) -> Tensor:
        """How open the gates are in the step from q and g, each channel's in (0, 1).

        Returns:
            `[..., 3, H]`: the input, the forget and the output gate.
        """
        linear = torch.nn.functional.linear
        gates = linear(q, self.weight_ih, self.bias_ih) + linear(g, self.weight_hh, self.bias_hh)
        i, f, _, o = gates.to(self.weight_ih.dtype).chunk(4, -1)
        return torch.stack([i, f, o], -2).sigmoid()


class _Gates(torch.autograd.Function):
    """From the gates' pre-activations `[..., 4H]` and the memory c to the next g and c."""

    @staticmethod
    def forward(gates: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        gate = gates.to(c.dtype).sigmoid_()
        i, f, s, o = gate.chunk(4, -1)
        new = (f * c).addcmul_(i, s, value=2).sub_(i)
        squashed = (2 * new).sigmoid_().mul_(2).sub_(1)
        return (o * squashed).to(gates.dtype), new, gate, squashed

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        gates, c = inputs
        _, _, gate, squashed = output
        if gates.dtype == c.dtype:
            ctx.mark_dirty(gates)
        else:
            ctx.mark_non_differentiable(gate)
        ctx.mark_non_differentiable(squashed)
        ctx.set_materialize_grads(False)  # or it would fill zeros for these two
        ctx.save_for_backward(c, gate, squashed)
        ctx.dtype = gates.dtype

    @staticmethod
    @first_derivative
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor, Tensor]:
        c, gate, squashed = ctx.saved_tensors
        i, f, s, o = gate.chunk(4, -1)
        grad_g, grad_new = gradients[:2]
        grad_g = torch.zeros_like(c) if grad_g is None else grad_g.to(c.dtype)
        through_g = torch.ops.aten.tanh_backward(grad_g * o, squashed)
        grad_new = through_g if grad_new is None else through_g.add_(grad_new)
        # In place, and into the places of one tensor: every pass over fresh memory costs another.
        out = torch.empty_like(gate)
        grad_i, grad_f, grad_s, grad_o = out.chunk(4, -1)
        torch.mul(s, 2, out=grad_i).sub_(1).mul_(grad_new)
        torch.mul(grad_new, c, out=grad_f)
        torch.mul(grad_new, i, out=grad_s).mul_(2)
        torch.mul(grad_g, squashed, out=grad_o)
        torch.ops.aten.sigmoid_backward.grad_input(out, gate, grad_input=out)
        return out.to(ctx.dtype), grad_new * f
