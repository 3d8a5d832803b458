"""The batch layout as a pytree, for `torch.compile`, `torch.export` and `torch.func`."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.utils import _pytree as pytree

from graphfusion.data.layout import STATIC, TENSORS, BatchLayout
from graphfusion.data.packing import PackedIndices

Context = list[Any]


def _flatten(layout: BatchLayout) -> tuple[list[Tensor | None], Context]:
    leaves: list[Tensor | None] = [getattr(layout, name) for name in TENSORS]
    sequences = layout.conversation_sequences
    for each in (*sequences, layout.speaker_sequences):
        leaves += [None] * len(PackedIndices._fields) if each is None else each
    return leaves, [len(sequences), *(getattr(layout, name) for name in STATIC)]


def _flatten_with_keys(layout: BatchLayout) -> tuple[list[tuple[Any, Tensor | None]], Context]:
    leaves, context = _flatten(layout)
    return [(pytree.SequenceKey(i), leaf) for i, leaf in enumerate(leaves)], context


def _unflatten(leaves: Iterable[Any], context: Context) -> BatchLayout:
    number, *static = context
    leaves = list(leaves)
    tensors, fields = leaves[: len(TENSORS)], leaves[len(TENSORS) :]
    sequences = [
        None if each[0] is None else PackedIndices(*each)
        for each in zip(*[iter(fields)] * len(PackedIndices._fields), strict=True)
    ]
    layout = BatchLayout.__new__(BatchLayout)
    layout.__dict__ |= zip(TENSORS, tensors, strict=True)
    layout.__dict__ |= zip(STATIC, static, strict=True)
    layout.__dict__["conversation_sequences"] = tuple(sequences[:number])
    layout.__dict__["speaker_sequences"] = sequences[number]
    return layout


def _load(context: Context) -> Context:
    """JSON has no tuples."""
    number, modalities, *rest = context
    return [number, None if modalities is None else tuple(modalities), *rest]


pytree.register_pytree_node(
    BatchLayout,
    _flatten,
    _unflatten,
    serialized_type_name="graphfusion.BatchLayout",
    to_dumpable_context=list,
    from_dumpable_context=_load,
    flatten_with_keys_fn=_flatten_with_keys,
)
