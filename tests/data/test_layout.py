import copy
import itertools
import pickle
import re

import pytest
import torch
from hypothesis import example, given
from torch import Tensor

from graphfusion import BatchLayout, ConversationGraph
from graphfusion.data.layout import PackedIndices, as_layout
from graphfusion.testing.strategies import RaggedBatch, batches

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


def test_long_conversations_leave_room_for_short_ones() -> None:
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
def test_keeps_what_it_is_given(batch: RaggedBatch) -> None:
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


def test_a_geometry_elsewhere_is_refused() -> None:
    layout = BatchLayout(torch.tensor([0, 2])).to("meta")
    message = (
        "layout must be on cpu, as the features are, but got meta; move it with layout.to(device)."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ConversationGraph()(torch.randn(2, 1, 3), layout)


@given(batches())
def test_as_geometry_adds_what_is_lacking(batch: RaggedBatch) -> None:
    ptr, speaker, present = batch.ptr, batch.speaker, batch.present
    host, whole = torch.device("cpu"), batch.layout
    for one in (
        as_layout(ptr, host, speaker, present),
        as_layout(BatchLayout(ptr), host, speaker, present),
        as_layout(BatchLayout(ptr, speaker), host, None, present),
        as_layout(BatchLayout(ptr, speaker), host, speaker + 1, present),  # its own count
        as_layout(BatchLayout(ptr, None, present), host, speaker),
    ):
        assert torch.equal(one.ptr, ptr)
        assert torch.equal(one.speaker, speaker)
        assert (one.present is None) == (whole.present is None)
        assert torch.equal(one.speaker_sequences.order, whole.speaker_sequences.order)
        assert len(one.conversation_sequences) == len(whole.conversation_sequences)
    bare = BatchLayout(ptr)
    assert as_layout(bare, host) is bare
    assert as_layout(whole, host) is as_layout(whole, host, speaker + 1) is whole
    assert as_layout(ptr, torch.device("meta")).blocks.device.type == "meta"


def test_as_geometry_takes_no_second_mask() -> None:
    mask = torch.ones(2, 3, dtype=torch.bool)
    for layout in (BatchLayout(PTR, present=mask), BatchLayout(PTR, present=~mask)):
        with pytest.raises(ValueError, match=r"^present must be left out .* has its own\.$"):
            as_layout(layout, torch.device("cpu"), present=mask)


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
    ],
)
def test_bad_input(arguments: dict[str, Tensor], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        BatchLayout(**({"ptr": PTR} | arguments))
