"""The conversations of each process and step, and the held-out ones."""

from itertools import chain

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from graphfusion import Conversation
from graphfusion.datasets import Corpus
from graphfusion.training.data import batches, check_splits, draw_seed, held_out

counts = st.integers(1, 60)


@given(counts, st.integers(1, 20), st.integers(0, 2**31), st.integers(0, 50))
def test_an_epoch_is_every_conversation_once(size: int, most: int, seed: int, epoch: int) -> None:
    steps = batches(size, most, seed, epoch)
    assert sorted(chain(*steps)) == list(range(size))
    lengths = [len(step) for step in steps]
    assert max(lengths) <= most
    assert max(lengths) - min(lengths) <= 1
    assert steps == batches(size, most, seed, epoch)


@given(counts, st.integers(2, 20), st.integers(1, 4), st.integers(0, 9))
@example(1, 2, 2, 0)  # too few for two processes
def test_processes_share_each_step(size: int, most: int, world: int, seed: int) -> None:
    whole = batches(size, most, seed, 0)
    if min(map(len, whole)) < world:
        with pytest.raises(ValueError, match=f"for each of the {world} processes"):
            batches(size, most, seed, 0, 0, world)
        return
    shares = [batches(size, most, seed, 0, rank, world) for rank in range(world)]
    for step, *parts in zip(whole, *shares, strict=True):
        assert sorted(chain(*parts)) == sorted(step)
        assert all(parts)


def test_seeds_and_epochs_differ() -> None:
    assert batches(30, 8, 0, 0) != batches(30, 8, 0, 1)
    assert batches(30, 8, 0, 0) != batches(30, 8, 1, 0)
    keys = [(seed, epoch, step) for seed in range(5) for epoch in range(5) for step in range(5)]
    assert len({draw_seed(*each) for each in keys}) == len(keys)


def conversation(name: str, *labels: int) -> Conversation:
    y = torch.tensor(labels)
    return Conversation({"text": torch.ones(len(y), 2)}, torch.zeros_like(y), y, id=name)


def test_what_is_held_out_is_of_training_and_differs_by_seed() -> None:
    train = [conversation(f"{i}", 0, 1) for i in range(40)]
    corpus = Corpus(("x", "y"), {"train": train, "test": [conversation("test", 1)]})
    training, validation = held_out(corpus, 0)
    assert len(validation) == 4
    assert len(training) == 36
    assert {*training, *validation} == {each.id for each in train}
    assert set(held_out(corpus, 1)[1]) != set(validation)
    official = Corpus(("x", "y"), {"train": train, "dev": [conversation("dev", 0)]})
    assert held_out(official, 0) == ([each.id for each in train], ["dev"])
    with pytest.raises(ValueError, match="at least two training conversations"):
        held_out(Corpus(("x", "y"), {"train": train[:1]}), 0)


@pytest.mark.parametrize("splits", [["development"], ["dev", "val"]])
def test_no_split_is_left_out_in_silence(splits: list[str]) -> None:
    parts = {name: [conversation(name, 0, 1)] for name in ["train", *splits]}
    with pytest.raises(ValueError, match=r"no splits but train, test and one of dev, .* but has"):
        check_splits(Corpus(("x", "y"), parts))
    check_splits(Corpus(("x", "y"), {"train": parts["train"], "dev": []}))
