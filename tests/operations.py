"""What a forward pass, or a training step, dispatches: for tests that count it without a GPU.

On the meta device a tensor has no values: whatever would read one, and so synchronise with a GPU,
is an error there. Its branches are those of a GPU, for they ask for "cpu".
"""

from collections import Counter

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.kernels import launches, tensors_of
from graphfusion.encoders.recurrent import RecurrentEncoder

READS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2"}
HOST = {"cpu"}


class Operations(TorchDispatchMode):
    """Counts operations, and refuses those that take a host's values to the device, or back.

    Numbers are tensors without axes, which a GPU takes with its launch. The one exception is a GRU,
    which PyTorch gives the sizes of a packed sequence's steps on the host.

    Attributes:
        counts: Of all operators, by name.
        kernels: Of those that launch a kernel, one each: neither views nor allocations.
        calls: Each kernel, and the shapes and dtypes of what it takes and gives, in order.
        on_host: The operators that made a tensor of values with axes on the host.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.kernels: Counter[str] = Counter()
        self.calls: list[tuple[object, ...]] = []
        self.on_host: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        self.counts[name] += 1
        out = func(*args, **(kwargs or {}))
        tensors = tensors_of((args, kwargs, out))
        places = {each.device.type for each in tensors if each.dim() > 0}
        assert len(places) < 2, f"{name} between {places}"
        if places - HOST:
            assert name not in READS, name
        made = {each.device.type for each in tensors_of(out) if each.dim() > 0 and each.numel() > 0}
        if made == HOST:
            self.on_host.append(name)
        if launches(func, out):
            self.kernels[name] += 1
            sizes = [(tuple(each.shape), each.dtype) for each in tensors]
            self.calls.append((name, *sizes))
        return out


def without_recurrence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recurrent encoders launch nothing: a GPU runs each by cuDNN, and `meta` a step at a time."""

    def run(encoder: RecurrentEncoder, data: Tensor, _: object) -> Tensor:
        return data[:, :1].expand(-1, encoder.out_channels)

    monkeypatch.setattr(RecurrentEncoder, "_run", run)


def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's operators dispatch on `meta` what they dispatch on CUDA.

    An LSTM cell and dropout are one kernel each there, after the cell's two products.
    """
    without_recurrence(monkeypatch)

    def cell(
        x: Tensor, state: tuple[Tensor, Tensor], w_ih: Tensor, w_hh: Tensor, *biases: Tensor
    ) -> tuple[Tensor, Tensor]:
        products = x @ w_ih.t(), state[0] @ w_hh.t()
        return torch.ops.aten._thnn_fused_lstm_cell(*products, state[1], *biases)[:2]

    def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        del inplace
        return torch.native_dropout(x, p, True)[0] if training and p > 0 else x

    monkeypatch.setattr(torch, "lstm_cell", cell)
    monkeypatch.setattr(torch.nn.functional, "dropout", dropout)
