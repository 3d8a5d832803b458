"""Checks of all contracts for a fusion layer, an encoder or a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from graphfusion.data.layout import BatchLayout
from graphfusion.graph.builder import ConversationGraph
from graphfusion.testing.batches import RaggedBatch, odd_batches
from graphfusion.testing.comparison import Run
from graphfusion.testing.contracts import (
    assert_batch_independent,
    assert_compiles,
    assert_finite,
    assert_ignores_absent,
    assert_not_mutating,
    assert_permutation_equivariant,
    assert_shape_and_dtype,
)

# Compilation is slow and does not depend on values, so it is tested on these batches only.
COMPILED = ("normal", "absent")


def check_fusion(fusion: torch.nn.Module, in_channels: int | None = None) -> None:
    """Checks all contracts of a fusion layer, `fusion(x [U, M, C], graph) -> [U, M, D]`.

    The batches are those of :func:`odd_batches`, in the dtype of the layer's parameters. The
    contracts are:

    - the shape and dtype of the output,
    - equal outputs for a conversation alone and in a batch,
    - equivariance to permutations of utterances and modalities,
    - inputs that are not mutated, finite outputs and gradients,
    - outputs that do not depend on absent modalities,
    - compilation without graph breaks.

    The layer's training mode, parameters and buffers are not changed.

    Args:
        fusion: The layer.
        in_channels: Size C of its input; None: the layer's `in_channels`. If the layer has
            `out_channels`, the output must have this size.

    Raises:
        AssertionError: If a contract is broken. The message names the contract, the batch and the
            values.
        ValueError: If `in_channels` is not known.
    """
    build = ConversationGraph()

    def run(x: Tensor, layout: BatchLayout) -> Tensor:
        out: Tensor = fusion(x, build(x, layout))
        return out

    channels = _size("in_channels", in_channels, fusion)
    out_channels = getattr(fusion, "out_channels", "D")
    _check(fusion, run, channels, 2, ["M", out_channels], ordered=False)
    batches = [batch for batch in _batches(fusion, channels, 2) if batch.name in COMPILED]
    with _mode(fusion, training=False):
        assert_compiles(
            fusion, batches, lambda batch: (x := batch.x.clone(), build(x, batch.layout))
        )


def check_encoder(encoder: torch.nn.Module, in_channels: int | None = None) -> None:
    """Checks the contracts of an encoder, `encoder(x [U, M, C], layout) -> [U, M, D]`.

    They are those of :func:`check_fusion`, except that the encoder may depend on the order of
    utterances and need not compile. :class:`~graphfusion.SpeakerEncoder` is an example.

    Args:
        encoder: The encoder.
        in_channels: Size C of its input; None: the encoder's `in_channels`.

    Raises:
        AssertionError: If a contract is broken.
        ValueError: If `in_channels` is not known.
    """
    channels = _size("in_channels", in_channels, encoder)
    _check(encoder, encoder, channels, 2, ["M", "D"], ordered=True)


def check_model(model: torch.nn.Module) -> None:
    """Checks the contracts of a model, `model(features, layout) -> logits [U, K]`.

    They are those of :func:`check_fusion`, except that the model may depend on the order of
    utterances and of modalities, and need not compile. Its features are those of its attribute
    `in_channels`, `{modality: d_m}`, as in :class:`~graphfusion.MMDFN`.

    Args:
        model: The model.

    Raises:
        AssertionError: If a contract is broken.
    """
    sizes: dict[str, int] = model.in_channels  # type: ignore[assignment]

    def run(x: Tensor, layout: BatchLayout) -> Tensor:
        features = {
            name: column[:, :size]
            for (name, size), column in zip(sizes.items(), x.unbind(1), strict=True)
        }
        if layout.present is not None:
            present = dict(zip(sizes, layout.present.unbind(1), strict=True))
            layout = BatchLayout(layout.ptr, layout.speaker, present)
        out: Tensor = model(features, layout)
        return out

    num_classes = getattr(model, "num_classes", "K")
    _check(model, run, max(sizes.values()), len(sizes), [num_classes], ordered=True)


def _check(
    module: torch.nn.Module,
    run: Run,
    channels: int,
    num_modalities: int,
    shape: list[int | str],
    ordered: bool,
) -> None:
    parameters = list(module.parameters())
    batches = _batches(module, channels, num_modalities)
    per_node = shape[0] == "M"
    if per_node:
        shape = [num_modalities, *shape[1:]]
    with _mode(module, training=False):
        for batch in batches:
            assert_shape_and_dtype(run, batch, [len(batch.x), *shape])
            assert_finite(run, batch, parameters)
            assert_not_mutating(run, batch)
            assert_permutation_equivariant(run, batch, not ordered, per_node)
            assert_batch_independent(run, batch)
            assert_ignores_absent(run, batch, parameters)
    with _mode(module, training=True), torch.random.fork_rng(devices=[]):
        for batch in batches:
            assert_finite(run, batch, parameters)
            assert_not_mutating(run, batch)


def _batches(module: torch.nn.Module, channels: int, num_modalities: int) -> list[RaggedBatch]:
    """Returns :func:`odd_batches` in the module's dtype."""
    dtype = next((each.dtype for each in module.parameters()), torch.get_default_dtype())
    return odd_batches(channels, num_modalities, dtype)


@contextmanager
def _mode(module: torch.nn.Module, training: bool) -> Iterator[None]:
    """Sets the training mode of a module, and restores it, and all buffers, on exit."""
    before = [(each, each.training, dict(each._buffers)) for each in module.modules()]
    values = [(each, each.clone()) for each in module.buffers()]
    module.train(training)
    try:
        yield
    finally:
        for each, mode, buffers in before:
            each.training = mode
            each._buffers.update(buffers)
        with torch.no_grad():
            for buffer, value in values:
                buffer.copy_(value)


def _size(name: str, given: int | None, module: Any) -> int:
    size = getattr(module, name, None) if given is None else given
    if not isinstance(size, int):
        raise ValueError(f"{name} must be given if the module has no such size, but got {size}.")
    return size
