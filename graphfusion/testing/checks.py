"""All contracts at once, for a module with one of our signatures."""

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

# To compile is slow, and no batch's values matter to it.
COMPILED = ("normal", "absent")


def check_fusion(fusion: torch.nn.Module, in_channels: int | None = None) -> None:
    """Holds a fusion layer, `fusion(x [U, M, C], graph) -> [U, M, D]`, to every contract.

    On fixed batches (:func:`odd_batches`), in the dtype of its parameters: the shape and dtype, the
    same output for a single conversation and in a batch, and for utterances and modalities in any
    order; nothing mutated, everything finite, absent modalities ignored, and compiled whole.
    It leaves the layer as it was.

    Args:
        fusion: The layer.
        in_channels: Size C of its input; None: the layer's `in_channels`. Its `out_channels`, if it
            has them, are the size D.

    Raises:
        AssertionError: If it breaks a contract; the message names it, the batch and the numbers.
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
    """Holds an encoder, `encoder(x [U, M, C], layout) -> [U, M, D]`, to the contracts.

    As :func:`check_fusion`, but it may know the order of a conversation's utterances, and need not
    compile. :class:`~graphfusion.SpeakerEncoder` is one.

    Args:
        encoder: The encoder.
        in_channels: Size C of its input; None: the encoder's `in_channels`.

    Raises:
        AssertionError: If it breaks a contract.
        ValueError: If `in_channels` is not known.
    """
    channels = _size("in_channels", in_channels, encoder)
    _check(encoder, encoder, channels, 2, ["M", "D"], ordered=True)


def check_model(model: torch.nn.Module) -> None:
    """Holds a model, `model(features, layout) -> logits [U, K]`, to the contracts.

    As :func:`check_fusion`, but it may know the order of utterances and which modality is which,
    and need not compile. Its `in_channels`, `{modality: d_m}`, name its features, as those of
    :class:`~graphfusion.MMDFN` do.

    Args:
        model: The model.

    Raises:
        AssertionError: If it breaks a contract.
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
    """The odd batches, in the module's dtype."""
    dtype = next((each.dtype for each in module.parameters()), torch.get_default_dtype())
    return odd_batches(channels, num_modalities, dtype)


@contextmanager
def _mode(module: torch.nn.Module, training: bool) -> Iterator[None]:
    """Puts a module into a mode, and back what was in another, whatever happens."""
    before = [(each, each.training) for each in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for each, mode in before:
            each.training = mode


def _size(name: str, given: int | None, module: Any) -> int:
    size = getattr(module, name, None) if given is None else given
    if not isinstance(size, int):
        raise ValueError(f"{name} must be given where the module has none, but got {size}.")
    return size
