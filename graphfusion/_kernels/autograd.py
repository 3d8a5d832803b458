"""Derivatives that are written out, and have none themselves."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

Gradients = tuple[Tensor | None, ...]

NO_SECOND_DERIVATIVE = (
    "The second derivative of a recurrent step is not implemented. PyTorch's own modules have it: "
    "set the environment variable GRAPHFUSION_KERNELS to 0."
)


def first_derivative(backward: Callable[..., Gradients]) -> Callable[..., Gradients]:
    """The `backward` of a function of which no second derivative is to be had: asking is an error.

    PyTorch's `once_differentiable` raises only for those who ask with `Tensor.backward`. Others,
    such as `torch.autograd.grad`, get numbers from it, and wrong ones.
    """

    @wraps(backward)
    def once(ctx: Any, *gradients: Tensor | None) -> Gradients:
        with torch.no_grad():
            out = backward(ctx, *gradients)
        if not torch.is_grad_enabled():
            return out
        last: Gradients = _Last.apply(len(out), *out, *gradients, *ctx.saved_tensors)  # type: ignore[no-untyped-call]
        return last

    return once


class _Last(torch.autograd.Function):
    """Returns the first tensors as functions of all, with a derivative that raises."""

    @staticmethod
    def forward(size: int, *tensors: Tensor | None) -> Gradients:
        return tuple(None if each is None else each.view_as(each) for each in tensors[:size])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Gradients) -> None:
        pass

    @staticmethod
    def backward(_ctx: Any, *_: Tensor | None) -> Gradients:
        raise RuntimeError(NO_SECOND_DERIVATIVE)
