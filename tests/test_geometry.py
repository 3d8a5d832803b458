import copy
import itertools
import pickle

import pytest
import torch
from hypothesis import given
from torch import Tensor

from graphfusion import ConversationGraph, Geometry
from graphfusion.geometry import Sequences
from graphfusion.testing.strategies import RaggedBatch, batches


def unpack(sequences: Sequences) -> list[list[int]]:
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
    geometry = batch.geometry
    size = len(batch.x)
    assert geometry.num_conversations == len(batch.ptr) - 1
    assert geometry.num_utterances == size
    assert torch.equal(geometry.blocks.flatten()[geometry.slot], torch.arange(size))
    assert geometry.blocks.size(1) == batch.ptr.diff().max()
    for b, (start, end) in enumerate(itertools.pairwise(batch.ptr.tolist())):
        first = geometry.slot[start].item()
        slots = torch.arange(first, first + end - start)
        assert torch.equal(geometry.slot[start:end], slots)
        assert slots.div(geometry.blocks.size(1), rounding_mode="floor").unique().numel() == 1
        assert geometry.batch[start:end].eq(b).all()


@given(batches())
def test_no_two_blocks_could_be_one(batch: RaggedBatch) -> None:
    geometry = batch.geometry
    used = geometry.slot.div(geometry.blocks.size(1), rounding_mode="floor").bincount().sort()[0]
    assert len(used) == len(geometry.blocks)
    assert len(used) == 1 or used[:2].sum() > geometry.blocks.size(1)


@given(batches())
def test_sequences(batch: RaggedBatch) -> None:
    geometry = batch.geometry
    conversation = geometry.batch.tolist()
    here = batch.here
    assert len(geometry.conversations) == (1 if geometry.present is None else here.size(1))
    for m, sequences in enumerate(geometry.conversations):
        items = here[:, m].nonzero().flatten().tolist()
        expected = groups([conversation[u] for u in items], items)
        assert sorted(unpack(sequences)) == expected

    nodes = (
        here.nonzero().tolist()
        if geometry.present is not None
        else [[u, 0] for u in range(len(here))]
    )
    keys = [(conversation[u], int(batch.speaker[u]), m) for u, m in nodes]
    width = 1 if geometry.present is None else here.size(1)
    assert geometry.turns is not None
    assert sorted(unpack(geometry.turns)) == groups(keys, [u * width + m for u, m in nodes])


@given(batches(masked=True))
def test_a_full_mask_is_no_mask(batch: RaggedBatch) -> None:
    full = Geometry(batch.ptr, batch.speaker, torch.ones_like(batch.here))
    assert full.present is None
    assert torch.equal(full.turns.order, Geometry(batch.ptr, batch.speaker).turns.order)


def test_speakers_may_have_any_numbers() -> None:
    ptr = torch.tensor([0, 3, 5])
    small = Geometry(ptr, torch.tensor([0, 1, 0, 1, 1]))
    large = Geometry(ptr, torch.tensor([7, 2**62, 7, 2**62, 2**62]))
    assert sorted(unpack(small.turns)) == sorted(unpack(large.turns))


def test_copies() -> None:
    geometry = Geometry(torch.tensor([0, 2, 3]), torch.tensor([0, 1, 0]))
    for other in (
        geometry.to("cpu"),
        copy.deepcopy(geometry),
        pickle.loads(pickle.dumps(geometry)),
    ):
        assert torch.equal(other.blocks, geometry.blocks)
        assert torch.equal(other.turns.order, geometry.turns.order)
    assert geometry.to("meta").blocks.device.type == "meta"
    assert geometry.to("meta").turns.batch_sizes.device.type == "cpu"
    assert geometry.blocks.device.type == "cpu"
    assert repr(geometry) == "Geometry(num_conversations=2, num_utterances=3, device=cpu)"


def test_a_geometry_elsewhere_is_refused() -> None:
    geometry = Geometry(torch.tensor([0, 2])).to("meta")
    with pytest.raises(ValueError, match=r"geometry must be on cpu, .* but got meta; move it with"):
        ConversationGraph()(torch.randn(2, 1, 3), geometry)


@pytest.mark.parametrize("ptr", [[0], [0, 0], [1, 2], [0, 2, 2], [0, 3, 1], [-1, 2], []])
def test_bad_ptr(ptr: list[int]) -> None:
    with pytest.raises(
        ValueError, match="ptr must strictly increase from 0 to the number of .* but got"
    ):
        Geometry(torch.tensor(ptr, dtype=torch.int64))


PTR = torch.tensor([0, 2])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ptr": [0, 2]}, TypeError, "ptr must be a tensor, but got list"),
        ({"ptr": PTR.int()}, TypeError, "ptr must be of dtype torch.int64, but got torch.int32"),
        ({"ptr": PTR.view(1, 2)}, ValueError, r"ptr must have shape \[B \+ 1\], but got \[1, 2\]"),
        ({"speaker": torch.zeros(2)}, TypeError, "speaker must be of dtype torch.int64"),
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
        ({"present": torch.ones(2, 3)}, TypeError, "present must be of dtype torch.bool"),
        (
            {"present": torch.ones(3, 3, dtype=torch.bool)},
            ValueError,
            "present must have a row for each of the 2 utterances that ptr ends with, but got 3",
        ),
        (
            {"present": torch.ones(2, 0, dtype=torch.bool)},
            ValueError,
            "present must have at least one modality",
        ),
    ],
)
def test_bad_input(arguments: dict[str, Tensor], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Geometry(**({"ptr": PTR} | arguments))
