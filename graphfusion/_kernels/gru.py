"""The encoders' GRU: PyTorch's, with a training step that is fast on a CPU, too."""

from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from graphfusion._kernels.dropout import dropout
from graphfusion._kernels.gru_operator import gru_steps
from graphfusion._kernels.gru_steps import Steps
from graphfusion._kernels.switch import use_kernels

# Up to this size, PyTorch has cuDNN take all steps of a direction in one kernel, forward and back.
SMALL = 128


class PackedGRU(torch.nn.RNNBase):
    """A :class:`torch.nn.GRU` that learns from packed sequences of many steps fast on a CPU.

    There, PyTorch goes back through every operation of every step, and adds up the weights'
    gradients step by step. Here, the derivative is written out: what a step multiplies its gradient
    with is computed for all steps at once, both directions run side by side, and the gradient of a
    weight is one product at the end. It has no second derivative.

    With cuDNN, a direction of a small layer is run at a time, over padded sequences read from their
    own starts (:meth:`encode_padded`): one kernel takes all steps, where packed sequences take two
    a step.

    It is a :class:`torch.nn.GRU` in all but the class, which `torch.compile` refuses (torch 2.13).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias=bias,
            dropout=dropout,
            bidirectional=bidirectional,
        )

    def forward(
        self,
        input: Tensor | PackedSequence,  # noqa: A002 - PyTorch's name
        hx: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """As :class:`torch.nn.GRU`."""
        if not isinstance(input, PackedSequence) or hx is not None or not self._is_ours(input):
            out: tuple[Tensor | PackedSequence, Tensor]
            out = torch.nn.GRU.forward(self, input, hx)  # type: ignore[call-overload]
            return out
        x, batch_sizes, _, _ = input
        self.check_input(x, batch_sizes)
        places, sizes = _Places.of(batch_sizes, len(x)), batch_sizes.tolist()
        layers = self._layers(x, places, sizes)
        last = places.last[: sizes[0]]
        hidden = [states.index_select(1, last) for _, states in layers]
        return PackedSequence(layers[-1][0], batch_sizes), torch.cat(hidden)

    def encode(self, x: Tensor, batch_sizes: Tensor) -> Tensor:
        """The output for the data `x [n, C]` of packed sequences, `[n, D * H]`, to be compiled."""
        return self._layers(x, _Places.of(batch_sizes, len(x)), batch_sizes)[-1][0]

    @property
    def is_small(self) -> bool:
        """Whether cuDNN runs it faster by its directions."""
        return self.bidirectional and self.hidden_size <= SMALL

    def encode_padded(self, x: Tensor, places: Tensor, steps: int, count: int) -> Tensor:
        """The output for packed sequences, from a GRU over padded ones for each direction.

        Args:
            x: `[n, ..., C]`, the data; what lies along further axes is of sequences of its own.
            places: `[2, n]` int64, where padded sequences, flattened, have each item: as it is, and
                read from its sequence's end. So the padding comes last, and changes nothing.
            steps: Length of the longest sequence.
            count: How many sequences there are.

        Returns:
            `[n, ..., 2 * H]`.
        """
        rest = x.shape[1:-1]
        start = x.new_zeros(1, count * rest.numel(), self.hidden_size)
        # One layer without dropout, in one direction, with the steps along the first axis.
        options = self.bias, 1, 0.0, self.training, False, False
        weights = iter(list[Tensor](each) for each in self.all_weights)
        for layer in range(self.num_layers):
            if layer:
                x = dropout(x, self.dropout, self.training)
            states = []
            for own in places:
                padded = x.new_zeros(steps * count, *rest, x.size(-1)).index_copy_(0, own, x)
                out, _ = torch.gru(
                    padded.view(steps, -1, x.size(-1)), start, next(weights), *options
                )
                states.append(out.view(steps * count, *rest, -1).index_select(0, own))
            x = torch.cat(states, -1)
        return x

    def flatten_parameters(self) -> None:
        """Lays out the weights in memory as cuDNN reads them: by direction, if it is small."""
        if not self.is_small:
            super().flatten_parameters()
            return
        size = len(self._flat_weights) // (2 * self.num_layers)
        for start in range(0, len(self._flat_weights), size):
            one = type(self).__new__(type(self))  # a layer in one direction with these weights
            one.__dict__ |= self.__dict__ | {
                "input_size": self.input_size if start < 2 * size else 2 * self.hidden_size,
                "num_layers": 1,
                "bidirectional": False,
                "_flat_weights": self._flat_weights[start : start + size],
                "_flat_weights_names": self._flat_weights_names[start : start + size],
            }
            torch.nn.RNNBase.flatten_parameters(one)

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

    def _layers(
        self, x: Tensor, places: "_Places", batch_sizes: list[int] | Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Each layer's output `[n, D * H]` and, as each direction goes, its states `[D, n, H]`."""
        out = []
        for layer in range(self.num_layers):
            if layer:
                x = dropout(x, self.dropout, self.training)
            inputs = [x, x.index_select(0, places.backwards)] if self.bidirectional else [x]
            states = self._run(layer, inputs, batch_sizes)
            x = states[0]
            if self.bidirectional:
                x = torch.cat([x, states[1].index_select(0, places.backwards)], 1)
            out.append((x, states))
        return out

    def _run(self, layer: int, inputs: list[Tensor], batch_sizes: list[int] | Tensor) -> Tensor:
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
        if isinstance(batch_sizes, Tensor):
            states, *_ = gru_steps(parts, weight, candidate, batch_sizes)
        else:
            states, *_ = Steps.apply(parts, weight, candidate, batch_sizes)  # type: ignore[no-untyped-call]
        return states


class _Places(NamedTuple):
    """Where things are among the n items of packed sequences.

    Attributes:
        backwards: `[n]`, the items of the same sequences with each read from its end.
        last: `[n]`, of each sequence, the last item; what comes after the sequences is any.
    """

    backwards: Tensor
    last: Tensor

    @classmethod
    def of(cls, batch_sizes: Tensor, size: int) -> Self:
        """Of sequences of `size` items in all; no shape depends on a value."""
        first = batch_sizes.cumsum(0) - batch_sizes
        steps, items = (torch.arange(n, device=first.device) for n in (len(first), size))
        step = steps.repeat_interleave(batch_sizes, output_size=size)
        sequence = items - first[step]
        length = torch.zeros_like(items).index_add(0, sequence, torch.ones_like(items))
        last_step = (length - 1).clamp(min=0)
        return cls(first[length[sequence] - 1 - step] + sequence, first[last_step] + items)
