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
    begins, here = (
        torch.stack([forward, backward.flip(0)] if gru.bidirectional else [forward], 1)
        for forward, backward in ((first, last), (present, present))
    )
    for layer in range(gru.num_layers):
        out = _layer(gru, layer, x, begins, here).unbind(1)
        x = torch.cat([out[0], out[1].flip(0)], 2) if gru.bidirectional else out[0]
    return x


def _layer(gru: PackedGRU, layer: int, x: Tensor, begins: Tensor, here: Tensor) -> Tensor:
    """The states `[L, D, S, H]` of a layer, of all its directions at once.

    That of the direction that reads backwards, like its masks, is in the order of its steps.
    """
    names = [f"l{layer}", f"l{layer}_reverse"][: 1 + gru.bidirectional]
    linear, size = torch.nn.functional.linear, gru.hidden_size

    def parameters(kind: str) -> list[Tensor]:
        return [getattr(gru, f"{kind}_{name}") for name in names]

    bias_ih = parameters("bias_ih") if gru.bias else [None] * len(names)
    read = zip((x, x.flip(0)), parameters("weight_ih"), bias_ih, strict=False)
    gates = torch.stack([linear(*each) for each in read], 1)
    weight = torch.stack(parameters("weight_hh")).mT
    bias_hh = torch.stack(parameters("bias_hh")).unsqueeze(1) if gru.bias else 0.0

    def step(state: Tensor, now: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        gates, begins, here = now
        state = state.masked_fill(begins.unsqueeze(2), 0)
        recurrent = state @ weight + bias_hh
        both = (gates[..., : 2 * size] + recurrent[..., : 2 * size]).sigmoid()
        r, z = both[..., :size], both[..., size:]
        n = (gates[..., 2 * size :] + r * recurrent[..., 2 * size :]).tanh()
        state = torch.where(here.unsqueeze(2), n + z * (state - n), state)
        return state, state.clone()

    start = x.new_zeros(len(names), x.size(1), size)
    return _scan(step, start, (gates, begins, here))


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
