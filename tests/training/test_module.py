"""A training step: what is dropped, what the loss counts, and what a checkpoint must fit."""

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch

from graphfusion import Conversation
from graphfusion.datasets import Corpus
from graphfusion.testing.strategies import seeds
from graphfusion.training import MODELS, Recipe
from graphfusion.training.module import TrainingModule
from tests.profiles import in_quick

SMALL = {"num_layers": 2, "channels": 8, "hidden_channels": 4}


def ten_conversations() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch.from_data_list(
        [
            Conversation(
                {
                    name: torch.randn(8, size, generator=generator)
                    for name, size in (("text", 4), ("audio", 3))
                },
                torch.arange(8) % 2,
                torch.randint(0, 2, (8,), generator=generator),
                id=str(number),
            )
            for number in range(10)
        ]
    )


def module_of(name: str, rank: int = 0, epoch: int = 0, **changes: object) -> TrainingModule:
    torch.manual_seed(0)
    recipe = Recipe(name, changes=SMALL | changes)
    model = recipe.build_for({"text": 4, "audio": 3}, ["x", "y"])
    corpus = Corpus(("x", "y"), {"train": ten_conversations().to_data_list()})
    module = TrainingModule(model, corpus, recipe.settings, 0)
    model.standardize.register_forward_hook(module.drop_features)
    strategy = SimpleNamespace(reduce=lambda value, reduce_op: value)  # noqa: ARG005
    module.trainer = SimpleNamespace(
        current_epoch=epoch, global_rank=rank, world_size=1, strategy=strategy
    )
    return module


def columns(present: dict[str, torch.Tensor]) -> torch.Tensor:
    """A column for each modality."""
    return torch.stack(list(present.values()), 1)


def trained_on(batch: Batch, name: str, p: float, step: int = 0, **where: int):
    """Which modalities a training step saw, and its loss."""
    module = module_of(name, modality_dropout=p, **where)
    seen = []
    module.model.register_forward_pre_hook(lambda _, given: seen.append(given[0].present))
    module.on_train_batch_start(batch, step)
    loss = module.training_step(batch).detach()
    return columns(seen[0]), float(loss)


@pytest.mark.parametrize("name", MODELS)
def test_features_are_dropped_only_in_training(name: str) -> None:
    batch = ten_conversations()
    module = module_of(name, drop_features=0.3)
    standardize = module.model.standardize.fit(batch.to_data_list())
    for key, value in standardize(batch.features).items():
        dropped = value == 0
        assert 0.2 < dropped.float().mean() < 0.4
        expected = (batch.features[key] - batch.features[key].mean(0)) / (1 - 0.3)
        expected = expected / batch.features[key].std(0, correction=0)
        torch.testing.assert_close(value, expected.where(~dropped, 0))
    assert not torch.equal(module.model(batch), module.model(batch))
    module.eval()
    assert not any(value.eq(0).any() for value in standardize(batch.features).values())
    assert torch.equal(module.model(batch), module.model(batch))


@pytest.mark.parametrize("name", MODELS)
def test_modalities_are_dropped_in_training(name: str) -> None:
    whole, loss = trained_on(ten_conversations(), name, 0.0)
    assert whole.all()
    some, other_loss = trained_on(ten_conversations(), name, 0.3)
    assert 0.15 < (~some).float().mean() < 0.45
    assert math.isfinite(other_loss)
    assert other_loss != loss
    assert trained_on(ten_conversations(), name, 0.3)[1] == other_loss


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_only_training_steps_are_under_autocast(name: str, autocast: bool) -> None:
    batch, module = ten_conversations(), module_of(name, autocast=autocast)
    module.on_train_batch_start(batch, 0)
    dtypes = []
    module.model.head.register_forward_hook(lambda *given: dtypes.append(given[-1].dtype))
    loss = module.training_step(batch)
    loss.backward()
    module.eval().model(batch)
    assert dtypes == [torch.bfloat16 if autocast else torch.float32, torch.float32]
    exact = module_of(name)
    exact.on_train_batch_start(batch, 0)
    expected = exact.training_step(batch)
    assert loss.dtype == expected.dtype == torch.float32
    assert (loss != expected) == autocast
    torch.testing.assert_close(loss, expected, rtol=0.05, atol=0.02)
    for weight in module.parameters():
        assert weight.dtype == weight.grad.dtype == torch.float32
        assert weight.grad.isfinite().all()


@pytest.mark.parametrize("name", MODELS)
@in_quick(4)
@given(lengths=st.lists(st.integers(1, 5), max_size=3), beside=st.booleans(), seed=seeds)
def test_every_parameter_has_a_gradient(
    name: str, lengths: list[int], beside: bool, seed: int
) -> None:
    """Without one, DistributedDataParallel refuses a model, and it is saved as it was drawn."""
    torch.manual_seed(seed)
    changes = SMALL | ({"utterance_channels": 3} if beside else {})
    model = Recipe(name, changes=changes).build_for({"text": 4, "audio": 3}, ["x", "y"])
    batch = Batch.from_data_list(
        [
            Conversation(
                {"text": torch.randn(size, 4), "audio": torch.randn(size, 3)},
                torch.arange(size) % 2,
            )
            for size in (2, *lengths)
        ]
    )
    model(batch).square().sum().backward()
    without = [key for key, each in model.named_parameters() if each.grad is None]
    assert without == []


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_drawn_again(name: str) -> None:
    def build() -> torch.nn.Module:
        torch.manual_seed(1)
        return Recipe(name, changes=SMALL).build_for({"text": 4, "audio": 3}, ["x", "y"])

    model, before = build(), dict(build().named_parameters())
    model.reset_parameters()
    same = {key for key, each in model.named_parameters() if torch.equal(each, before[key])}
    assert {key for key in same if before[key].unique().numel() > 1} == set()  # but constants


def test_every_step_and_process_drops_others() -> None:
    batch = ten_conversations()
    present = columns(batch.present)
    draws = [
        trained_on(ten_conversations(), "logistic", 0.5, **where)[0]
        for where in ({}, {"epoch": 1}, {"step": 1}, {"rank": 1})
    ]
    assert len({tuple(each.flatten().tolist()) for each in draws}) == 4
    # A conversation's own mask is not touched.
    members = batch.to_data_list()
    trained_on(Batch.from_data_list(members[:1]), "logistic", 0.5)
    assert torch.equal(torch.cat([columns(each.present) for each in members]), present)


@given(st.lists(st.booleans(), min_size=80, max_size=80).filter(any))
def test_processes_add_up_to_the_mean_over_labelled_utterances(labelled: list[bool]) -> None:
    module = module_of("logistic")
    module.eval()
    batch = ten_conversations()
    batch.y = batch.y.where(torch.tensor(labelled), -100)
    whole = module.training_step(batch)
    members = batch.to_data_list()
    parts = [Batch.from_data_list(members[rank::2]) for rank in range(2)]
    total = sum(labelled)
    module.trainer.world_size = 2
    module.trainer.strategy.reduce = lambda value, reduce_op: torch.full_like(value, total)  # noqa: ARG005
    shares = [module.training_step(part) for part in parts]
    torch.testing.assert_close(sum(shares) / 2, whole)


def test_an_optimiser_of_other_parameters_is_refused() -> None:
    module = module_of("logistic")
    state = module.configure_optimizers().state_dict()
    module.on_load_checkpoint({"history": [], "optimizer_states": [state]})
    names = state["param_groups"][0]["param_names"]
    names[0], names[1] = names[1], names[0]
    with pytest.raises(ValueError, match=f"but it has {names[0]} in the place of {names[1]}"):
        module.on_load_checkpoint({"history": [], "optimizer_states": [state]})
