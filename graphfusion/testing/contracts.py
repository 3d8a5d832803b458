"""Contracts of fusion layers, encoders and models, one `assert_...` function each.

A module under test is a function `run(x, layout)` of node features `[U, M, C]` and a
:class:`~graphfusion.BatchLayout`, which returns a row for each utterance, `[U, ...]`.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from graphfusion._utils.counted import counted
from graphfusion.testing.batches import RaggedBatch
from graphfusion.testing.comparison import Run, check_finite, compare, fail, gradients, output


def assert_shape_and_dtype(run: Run, batch: RaggedBatch, shape: Sequence[int | str]) -> None:
    """Checks that the output has the given shape, and the dtype and device of the input.

    Args:
        run: The module.
        batch: The batch.
        shape: The size of each axis; a letter accepts any size.

    Raises:
        AssertionError: If the shape, dtype or device differs.
    """
    contract, out = "shape and dtype", output(run, batch)
    fits = out.dim() == len(shape) and all(
        isinstance(want, str) or size == want for size, want in zip(out.shape, shape, strict=True)
    )
    if not fits:
        expected = ", ".join(str(size) for size in shape)
        fail(contract, batch, f"the output must have shape [{expected}], got {list(out.shape)}")
    for what in ("dtype", "device"):
        got, expected = getattr(out, what), getattr(batch.x, what)
        if got != expected:
            fail(contract, batch, f"the output must have the input's {what} {expected}, got {got}")


def assert_batch_independent(run: Run, batch: RaggedBatch) -> None:
    """Checks that each conversation has the same output alone as in the batch, up to rounding.

    Raises:
        AssertionError: If the output of an utterance differs.
    """
    alone = torch.cat([output(run, each) for each in batch.conversations()])
    compare("batch independence", batch, output(run, batch), alone)


def assert_permutation_equivariant(
    run: Run, batch: RaggedBatch, utterances: bool = True, modalities: bool = True
) -> None:
    """Checks that permuting the conversations of a batch permutes its output, up to rounding.

    Args:
        run: The module.
        batch: The batch.
        utterances: Whether to permute the utterances of each conversation, too. Set it to False for
            modules that depend on their order.
        modalities: Whether to permute the modalities, too. Set it to False for modules with
            separate weights for each modality.

    Raises:
        AssertionError: If the output of an utterance differs.
    """
    generator = torch.Generator().manual_seed(0)

    def shuffle(size: int) -> Tensor:
        order = torch.randperm(size, generator=generator)
        same = torch.equal(order, torch.arange(size))
        return order.roll(1) if same else order  # the identity would test nothing

    parts = list(torch.arange(len(batch.x)).split(batch.ptr.diff().tolist()))
    parts = [parts[place] for place in shuffle(len(parts)).tolist()]
    if utterances:
        parts = [part[shuffle(len(part))] for part in parts]
    order = torch.cat(parts)
    expected, shuffled = output(run, batch)[order], batch.take(order, [len(part) for part in parts])
    if modalities:
        columns = shuffle(batch.x.size(1))
        present = None if shuffled.present is None else shuffled.present[:, columns]
        shuffled = RaggedBatch(
            shuffled.x[:, columns], shuffled.ptr, shuffled.speaker, present, batch.name
        )
        expected = expected[:, columns]
    compare("permutation", batch, output(run, shuffled), expected)


def assert_ignores_absent(run: Run, batch: RaggedBatch, parameters: Iterable[Tensor] = ()) -> None:
    """Checks that values at absent modalities, NaN included, do not change the output.

    Args:
        run: The module.
        batch: The batch.
        parameters: Parameters whose gradients must stay finite, as those of `x` must. A product
            that is masked only afterwards makes them NaN.

    Raises:
        AssertionError: If the output changes, or a gradient becomes NaN or infinite.
    """
    absent, parameters = ~batch.here.unsqueeze(-1), list(parameters)
    if not absent.any():
        return
    expected, clean = output(run, batch), gradients(run, batch, parameters)
    for junk in (float("nan"), float("inf"), 1.0):
        contract = f"absent modalities (filled with {junk})"
        spoilt = batch.with_x(batch.x.masked_fill(absent, junk))
        compare(contract, batch, output(run, spoilt), expected)
        for (where, gradient), (_, finite) in zip(
            gradients(run, spoilt, parameters), clean, strict=True
        ):
            # Gradients that are not finite even without the filling break another contract.
            check_finite(contract, batch, where, gradient.where(finite.isfinite(), 0))


def assert_not_mutating(run: Run, batch: RaggedBatch) -> None:
    """Checks that neither the node features nor the layout change, forward or backward.

    Raises:
        AssertionError: If one changes.
    """
    x, layout = batch.x.detach().clone().requires_grad_(), batch.layout
    before = {"x": x.detach().clone()} | {
        name: value.clone() for name, value in vars(layout).items() if isinstance(value, Tensor)
    }
    out = run(x, layout)
    if out.requires_grad:
        torch.autograd.grad(out.sum(), x, allow_unused=True)
    for name, value in before.items():
        now = x.detach() if name == "x" else getattr(layout, name)
        changed = ~torch.isclose(now, value, rtol=0, atol=0, equal_nan=True)
        if changed.any():
            fail(
                "no mutation",
                batch,
                f"{counted(int(changed.sum()), 'entry', 'entries')} of {name} changed",
            )


def assert_finite(run: Run, batch: RaggedBatch, parameters: Iterable[Tensor] = ()) -> None:
    """Checks that the output and the gradients of its mean are finite.

    Args:
        run: The module.
        batch: The batch.
        parameters: Parameters whose gradients must be finite, as those of `x` must.

    Raises:
        AssertionError: If anything is NaN or infinite.
    """
    contract = "finite values and gradients"
    for where, gradient in gradients(run, batch, parameters):
        check_finite(contract, batch, where, gradient)


def assert_compiles(
    function: Callable[..., Tensor],
    batches: Iterable[RaggedBatch],
    arguments: Callable[[RaggedBatch], tuple[object, ...]] = lambda batch: (
        batch.x,
        batch.layout,
    ),
) -> None:
    """Checks that a function compiles without graph breaks, and that its output does not change.

    Args:
        function: The module, or another function that returns a row for each utterance.
        batches: The batches.
        arguments: A function that returns the arguments of `function` for a batch.

    Raises:
        AssertionError: If it does not compile, or its compiled output differs.
    """
    contract = "compile without breaks"
    torch.compiler.reset()
    fast = torch.compile(function, backend="eager", fullgraph=True, dynamic=True)
    with warnings.catch_warnings(), torch.no_grad():
        # Tracing code of PyTorch itself issues these warnings (2.13).
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        for batch in batches:
            try:
                out = fast(*arguments(batch))
            except Exception as error:
                raise AssertionError(
                    f"{contract}: on {batch}, it does not compile: {error}"
                ) from error
            compare(contract, batch, out, function(*arguments(batch)))
