"""Comparison of outputs and gradients, and the errors of broken contracts."""

from collections.abc import Callable, Iterable, Iterator
from typing import Never

import torch
from torch import Tensor

from graphfusion._utils.counted import counted
from graphfusion.data.layout import BatchLayout
from graphfusion.testing.batches import RaggedBatch

Run = Callable[[Tensor, BatchLayout], Tensor]

# Tolerances of an utterance's outputs, relative to its largest expected absolute value.
TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 1e-1}


def output(run: Run, batch: RaggedBatch) -> Tensor:
    """Computes the output without gradients."""
    # From copies, so that a module that mutates its input breaks no other contract.
    with torch.no_grad():
        return run(batch.x.clone(), batch.layout)


def compare(contract: str, batch: RaggedBatch, out: Tensor, expected: Tensor) -> None:
    """Checks that outputs are equal up to rounding; expected NaN and infinity must match."""
    if out.shape != expected.shape:
        fail(
            contract,
            batch,
            f"the output must have shape {list(expected.shape)}, got {list(out.shape)}",
        )
    out, expected = out.flatten(1), expected.flatten(1)
    same = (out == expected) | (out.isnan() & expected.isnan())
    apart = (out - expected).abs().where(~same, 0).nan_to_num(nan=float("inf"))
    largest = expected.nan_to_num(0, 0, 0).abs()
    tolerance = TOLERANCE[batch.x.dtype]
    for utterance, (off, scale) in enumerate(_row_maxima(apart, largest)):
        if off > tolerance * scale:
            fail(
                contract,
                batch,
                f"utterance {utterance} differs by {off:.3g}, but at most {tolerance:g} * "
                f"{scale:.3g} is allowed for rounding",
            )


def _row_maxima(*values: Tensor) -> Iterator[tuple[float, ...]]:
    """Yields the maximum of each row, for all tensors together."""
    return zip(*(each.double().amax(1).tolist() for each in values), strict=True)


def gradients(
    run: Run, batch: RaggedBatch, parameters: Iterable[Tensor]
) -> list[tuple[str, Tensor]]:
    """Computes the output, and the gradients of its mean.

    Returns:
        Pairs of a description and a tensor: the output, and the gradients of `x` and of the
        parameters that it depends on.
    """
    x = batch.x.detach().clone().requires_grad_()
    out = run(x.clone(), batch.layout)  # a leaf must not be mutated, which is another contract
    found = [("the output", out)]
    if not out.requires_grad:
        return found
    learning = [each for each in parameters if each.requires_grad]
    mean = out.to(torch.promote_types(out.dtype, torch.float32)).mean()
    gradients = torch.autograd.grad(mean, [x, *learning], allow_unused=True)
    names = ["x", *(f"parameter {m} {list(each.shape)}" for m, each in enumerate(learning))]
    found += [
        (f"the gradient of {name}", gradient)
        for name, gradient in zip(names, gradients, strict=True)
        if gradient is not None
    ]
    return found


def check_finite(contract: str, batch: RaggedBatch, what: str, value: Tensor) -> None:
    """Checks that all values of a tensor are finite."""
    bad = ~value.isfinite()
    if bad.any():
        first = float(value.detach()[bad][0])
        fail(
            contract,
            batch,
            f"{what} has {counted(int(bad.sum()), 'entry', 'entries')} such as {first}",
        )


def fail(contract: str, batch: RaggedBatch, problem: str) -> Never:
    """Raises the `AssertionError` of a broken contract."""
    raise AssertionError(f"{contract}: on {batch}, {problem}.")
