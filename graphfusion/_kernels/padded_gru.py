"""A GRU over padded sequences in plain operators, for what runs without PyTorch.

It advances all sequences at once, and keeps the state where an item is absent. Several
sequences may follow each other in a column; the state is forgotten where one begins.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from graphfusion._kernels.gru import PackedGRU

Step = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, Tensor]]


def padded_gru(gru: PackedGRU, x: Tensor, first: Tensor, present: Tensor) -> Tensor:
    """The output of a GRU, without dropout.

    Args:
        gru: Has the weights.
        x: `[L, S, C]`, the items of each step.
        first: `[L, S]` bool, where a sequence begins.
        present: `[L, S]` bool.

    Returns:
        `[L, S, D * H]`; where an item is absent, any finite number.
    """
    # Read backwards, a sequence begins where the next one did not yet.
    step, end = torch.arange(x.size(0), device=x.device), x.size(0) - 1
    last = first.index_select(0, (step + 1).clamp(max=end)) | (step == end).unsqueeze(1)
    for layer in range(gru.num_layers):
        out = _direction(gru, f"l{layer}", x, first, present)
        if gru.bidirectional:
            flipped = (each.flip(0) for each in (x, last, present))
            back = _direction(gru, f"l{layer}_reverse", *flipped)
            out = torch.cat([out, back.flip(0)], 2)
        x = out
    return x


def _direction(gru: PackedGRU, name: str, x: Tensor, first: Tensor, present: Tensor) -> Tensor:
    """The states `[L, S, H]` of a layer that reads in one direction."""
    weight_ih, weight_hh = (getattr(gru, f"weight_{kind}_{name}") for kind in ("ih", "hh"))
    bias_ih, bias_hh = (
        getattr(gru, f"bias_{kind}_{name}") if gru.bias else None for kind in ("ih", "hh")
    )
    linear, size = torch.nn.functional.linear, gru.hidden_size

    def step(state: Tensor, now: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        gates, begins, here = now
        state = state.masked_fill(begins.unsqueeze(1), 0)
        recurrent = linear(state, weight_hh, bias_hh)
        both = (gates[:, : 2 * size] + recurrent[:, : 2 * size]).sigmoid()
        r, z = both[:, :size], both[:, size:]
        n = (gates[:, 2 * size :] + r * recurrent[:, 2 * size :]).tanh()
        state = torch.where(here.unsqueeze(1), n + z * (state - n), state)
        return state, state.clone()

    start = x.new_zeros(x.size(1), size)
    return _scan(step, start, (linear(x, weight_ih, bias_ih), first, present))


def _scan(step: Step, state: Tensor, steps: tuple[Tensor, ...]) -> Tensor:
    """What the steps put out, one after the other; as one operator where it is exported."""
    if torch.compiler.is_exporting():
        from torch._higher_order_ops.scan import scan

        states: Tensor = scan(step, state, steps)[1]
        return states
    out = []
    for now in zip(*steps, strict=True):
        state, new = step(state, now)
        out.append(new)
    return torch.stack(out)
