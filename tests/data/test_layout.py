import copy
import itertools
import pickle
import re
from random import Random

import pytest
import torch
from hypothesis import example, given
from torch import Tensor
from torch.utils import _pytree as pytree
from torch_geometric.data import Batch

from graphfusion import BatchLayout, Conversation, ConversationGraph
from graphfusion.data.alignment import align
from graphfusion.data.layout import as_layout
from graphfusion.data.packing import PackedIndices
from graphfusion.testing.strategies import RaggedBatch, batches, seeds

PTR = torch.tensor([0, 2])


def unpack(sequences: PackedIndices) -> list[list[int]]:
    """The sequences, from the definition of a packed sequence."""
    steps = sequences.order.split(sequences.batch_sizes.tolist())
    out: list[list[int]] = [[] for _ in range(len(steps[0]) if steps else 0)]
    for step in steps:
        for sequence, item in zip(out, step.tolist(), strict=False):
            sequence.append(item)
    return out


def groups(keys: list[object], items: list[int]) -> list[list[int]]:
    found: dict[object, list[int]] = {}
    for key, item in zip(keys, items, strict=True):
        found.setdefault(key, []).append(item)
    return sorted(found.values())


@given(batches())
def test_places(batch: RaggedBatch) -> None:
    layout = batch.layout
    size = len(batch.x)
    assert layout.num_conversations == len(batch.ptr) - 1
    assert layout.num_utterances == size
    assert torch.equal(layout.blocks.flatten()[layout.slot], torch.arange(size))
    assert layout.blocks.size(1) == batch.ptr.diff().max()
    for b, (start, end) in enumerate(itertools.pairwise(batch.ptr.tolist())):
        first = layout.slot[start].item()
        slots = torch.arange(first, first + end - start)
        assert torch.equal(layout.slot[start:end], slots)
        assert slots.div(layout.blocks.size(1), rounding_mode="floor").unique().numel() == 1
        assert layout.batch[start:end].eq(b).all()


@given(batches())
def test_no_two_blocks_could_be_one(batch: RaggedBatch) -> None:
    layout = batch.layout
    used = layout.slot.div(layout.blocks.size(1), rounding_mode="floor").bincount().sort()[0]
    assert len(used) == len(layout.blocks)
    assert len(used) == 1 or used[:2].sum() > layout.blocks.size(1)


def test_short_conversations_fill_blocks_of_long_ones() -> None:
    """As they come, they would need four blocks."""
    assert BatchLayout(torch.tensor([0, 3, 6, 13, 20, 30])).blocks.shape == (3, 10)


def many_turns() -> RaggedBatch:
    """More speakers and modalities, some absent, than a drawn batch is likely to have."""
    ptr = torch.tensor([0, 7, 10, 24])
    speaker, present = torch.arange(24) % 5, torch.arange(72).view(24, 3) % 4 > 0
    return RaggedBatch(torch.ones(24, 3, 5), ptr, speaker, present)


@given(batches())
@example(many_turns())
def test_sequences(batch: RaggedBatch) -> None:
    layout = batch.layout
    conversation = layout.batch.tolist()
    here = batch.here
    assert len(layout.conversation_sequences) == (1 if layout.present is None else here.size(1))
    for m, sequences in enumerate(layout.conversation_sequences):
        items = here[:, m].nonzero().flatten().tolist()
        expected = groups([conversation[u] for u in items], items)
        assert sorted(unpack(sequences)) == expected

    nodes = (
        here.nonzero().tolist()
        if layout.present is not None
        else [[u, 0] for u in range(len(here))]
    )
    keys = [(conversation[u], int(batch.speaker[u]), m) for u, m in nodes]
    width = 1 if layout.present is None else here.size(1)
    assert layout.speaker_sequences is not None
    assert sorted(unpack(layout.speaker_sequences)) == groups(
        keys, [u * width + m for u, m in nodes]
    )


@given(batches())
def test_keeps_its_arguments(batch: RaggedBatch) -> None:
    layout = BatchLayout(batch.ptr, batch.speaker, batch.present)
    assert torch.equal(layout.ptr, batch.ptr)
    assert torch.equal(layout.speaker, batch.speaker)
    assert BatchLayout(batch.ptr, batch.speaker).num_modalities is None
    if batch.present is not None:
        assert layout.num_modalities == batch.x.size(1)
        assert (layout.present is None) == bool(batch.present.all())


@given(batches(masked=True))
def test_a_full_mask_is_no_mask(batch: RaggedBatch) -> None:
    full = BatchLayout(batch.ptr, batch.speaker, torch.ones_like(batch.here))
    assert full.present is None
    assert torch.equal(
        full.speaker_sequences.order, BatchLayout(batch.ptr, batch.speaker).speaker_sequences.order
    )


def test_speakers_may_have_any_numbers() -> None:
    ptr = torch.tensor([0, 3, 5])
    small = BatchLayout(ptr, torch.tensor([0, 1, 0, 1, 1]))
    large = BatchLayout(ptr, torch.tensor([7, 2**62, 7, 2**62, 2**62]))
    assert sorted(unpack(small.speaker_sequences)) == sorted(unpack(large.speaker_sequences))


def test_copies() -> None:
    layout = BatchLayout(torch.tensor([0, 2, 3]), torch.tensor([0, 1, 0]))
    for other in (
        layout.to("cpu"),
        copy.deepcopy(layout),
        pickle.loads(pickle.dumps(layout)),
    ):
        assert torch.equal(other.blocks, layout.blocks)
        assert torch.equal(other.speaker_sequences.order, layout.speaker_sequences.order)
    assert layout.to("meta").blocks.device.type == "meta"
    assert layout.to("meta").speaker_sequences.batch_sizes.device.type == "cpu"
    assert layout.blocks.device.type == "cpu"
    assert repr(layout) == "BatchLayout(num_conversations=2, num_utterances=3, device=cpu)"


def test_a_layout_on_another_device_is_refused() -> None:
    layout = BatchLayout(torch.tensor([0, 2])).to("meta")
    message = (
        "layout must be on cpu, as the features are, but got meta; move it with layout.to(device)."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ConversationGraph()(torch.randn(2, 1, 3), layout)


def test_as_layout() -> None:
    host, ptr, layout = torch.device("cpu"), torch.tensor([0, 2]), BatchLayout(PTR)
    assert as_layout(layout, host) is as_layout(layout, host, torch.tensor([0])) is layout
    assert as_layout(ptr, torch.device("meta")).blocks.device.type == "meta"
    assert as_layout(ptr, host, torch.tensor([0, 1])).speaker.tolist() == [0, 1]


def same(one: BatchLayout, other: BatchLayout) -> bool:
    """Whether all of two layouts is the same, the order within a step of sequences aside."""
    for name in ("ptr", "batch", "blocks", "slot", "speaker", "speaker_id", "present"):
        a, b = getattr(one, name), getattr(other, name)
        if (a is None) != (b is None) or (a is not None and not torch.equal(a, b)):
            return False
    sequences = [
        [
            sorted(unpack(each))
            for each in (*layout.conversation_sequences, layout.speaker_sequences)
            if each is not None
        ]
        for layout in (one, other)
    ]
    return sequences[0] == sequences[1] and one.modalities == other.modalities


@given(batches(masked=True, max_modalities=4), seeds)
def test_align_is_the_layout_in_that_order(batch: RaggedBatch, seed: int) -> None:
    names = list(batch.named_present)
    Random(seed).shuffle(names)
    layout = batch.layout
    aligned = align(layout, tuple(names))
    expected = BatchLayout(
        batch.ptr, batch.speaker, {name: batch.named_present[name] for name in names}
    )
    assert same(aligned, expected)
    assert align(aligned, tuple(names)) is aligned
    assert same(align(aligned, tuple(batch.features)), batch.layout)
    # A modality that is not named is present throughout.
    more = align(batch.layout, (*names, "more"))
    everywhere = torch.ones(len(batch.x), dtype=torch.bool)
    named = {name: batch.named_present[name] for name in names}
    assert same(more, BatchLayout(batch.ptr, batch.speaker, named | {"more": everywhere}))


def test_align_names_all_where_none_of_some_is_absent() -> None:
    """It is then the layout of a mask that names all, in their order."""
    ptr, speaker = torch.tensor([0, 3]), torch.tensor([0, 1, 0])
    full = torch.ones(3, dtype=torch.bool)
    for named in (["b"], ["b", "a"]):
        aligned = align(BatchLayout(ptr, speaker, dict.fromkeys(named, full)), ("a", "b"))
        assert (aligned.modalities, aligned.num_modalities) == (("a", "b"), 2)
        assert aligned.present is None


def test_align_needs_no_speakers() -> None:
    mask = {"a": torch.tensor([True, False]), "b": torch.tensor([True, True])}
    aligned = align(BatchLayout(PTR, present=mask), ("b", "a"))
    assert same(aligned, BatchLayout(PTR, present=dict(reversed(mask.items()))))


def test_align_refuses_unknown_modalities() -> None:
    mask = torch.tensor([True, False, True, True])
    named = BatchLayout(torch.tensor([0, 4]), present={"a": mask})
    with pytest.raises(ValueError, match=r"present must name some of \['b'\], but .* \['a'\]"):
        align(named, ("b",))
    columns = BatchLayout(torch.tensor([0, 4]), present=mask.unsqueeze(1))
    with pytest.raises(ValueError, match="present must be given by name, .* 1 column without"):
        align(columns, ("a",))
    assert named.column("a") == 0
    with pytest.raises(ValueError, match=r"modality must be one of \['a'\], but got 'b'"):
        named.column("b")
    for odd in (0.5, True):
        with pytest.raises(
            TypeError, match=f"modality must be an integer or a name, but got {odd}"
        ):
            named.column(odd)


@given(batches())
def test_is_a_pytree(batch: RaggedBatch) -> None:
    leaves, spec = pytree.tree_flatten(batch.layout)
    assert all(leaf is None or isinstance(leaf, torch.Tensor) for leaf in leaves)
    assert same(pytree.tree_unflatten(leaves, spec), batch.layout)


def test_is_that_of_a_batch_of_pyg() -> None:
    features = {"a": torch.ones(2, 1), "b": torch.ones(2, 1)}
    one = Conversation(features, torch.tensor([0, 1]), present={"b": torch.tensor([True, False])})
    layout = BatchLayout.of(Batch.from_data_list([one, one]))
    mask = {"a": torch.tensor([True] * 4), "b": torch.tensor([True, False] * 2)}
    assert same(layout, BatchLayout(torch.tensor([0, 2, 4]), torch.tensor([0, 1, 0, 1]), mask))
    assert same(BatchLayout.of(one), BatchLayout(torch.tensor([0, 2]), one.speaker, one.present))
    with pytest.raises(TypeError, match="batch must be of Conversations, but got dict"):
        BatchLayout.of({"ptr": torch.tensor([0, 2])})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "ptr", [[0], [0, 0], [1, 2], [0, 2, 2], [0, 3, 1], [-1, 2], [], [0, 1, 2, 3, 4, 5, 6, 6]]
)
def test_bad_ptr(ptr: list[int]) -> None:
    message = (
        "ptr must strictly increase from 0 to the number of utterances, with an entry for each "
        f"conversation's start and one for the end, but got {ptr}."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        BatchLayout(torch.tensor(ptr, dtype=torch.int64))


def test_a_long_ptr_is_shown_in_part() -> None:
    with pytest.raises(ValueError, match=r"but got \[5, 6, 7, 8, 9, 10, 11, 12, \.\.\.\]\.$"):
        BatchLayout(torch.arange(5, 14))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ptr": [0, 2]}, TypeError, "ptr must be a tensor, but got list"),
        ({"ptr": PTR.int()}, TypeError, "ptr must be of dtype torch.int64, but got torch.int32"),
        ({"ptr": PTR.view(1, 2)}, ValueError, r"ptr must have shape \[B \+ 1\], but got \[1, 2\]"),
        ({"speaker": torch.zeros(2)}, TypeError, "^speaker must be of dtype torch.int64"),
        (
            {"speaker": torch.zeros(2, 1, dtype=torch.int64)},
            ValueError,
            r"^speaker must have shape \[U\], but got \[2, 1\]",
        ),
        (
            {"speaker": torch.zeros(3, dtype=torch.int64)},
            ValueError,
            "speaker must have a row for each of the 2 utterances that ptr ends with, but got 3",
        ),
        (
            {"speaker": torch.tensor([0, -4])},
            ValueError,
            "speaker must not be negative, but got -4",
        ),
        ({"present": torch.ones(2, 3)}, TypeError, "^present must be of dtype torch.bool"),
        (
            {"present": torch.ones(2, dtype=torch.bool)},
            ValueError,
            r"^present must have shape \[U, M\], but got \[2\]",
        ),
        (
            {"present": torch.ones(3, 3, dtype=torch.bool)},
            ValueError,
            "present must have a row for each of the 2 utterances that ptr ends with, but got 3",
        ),
        (
            {"present": torch.ones(2, 0, dtype=torch.bool)},
            ValueError,
            r"^present must have at least one modality, but got none\.$",
        ),
        (
            {
                "present": {
                    name: torch.ones(u, dtype=torch.bool) for name, u in (("a", 2), ("b", 3))
                }
            },
            ValueError,
            r"^present must have a value for each utterance in all .* got {'a': 2, 'b': 3}\.$",
        ),
    ],
)
def test_bad_input(arguments: dict[str, Tensor], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        BatchLayout(**({"ptr": PTR} | arguments))
