from collections.abc import Callable
from types import MethodType

import pytest
import torch

from graphfusion._utils.evaluation import evaluation_view


def test_a_view_shares_tensors_and_repeated_modules_but_no_mode() -> None:
    layer = torch.nn.Linear(3, 3)
    model = torch.nn.Sequential(layer, torch.nn.Dropout(), layer)
    view = evaluation_view(model)
    assert view[0] is view[2] is not layer
    assert view[0].weight is layer.weight
    assert not any(module.training for module in view.modules())
    assert all(module.training for module in model.modules())


class Plain(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(x)


def compiled(model: torch.nn.Module) -> torch.nn.Module:
    return torch.compile(model, backend="eager")


def compiled_in_place(model: torch.nn.Module) -> torch.nn.Module:
    model.compile(backend="eager")
    return model


def with_its_own_method(model: torch.nn.Module) -> torch.nn.Module:
    model.forward = MethodType(Plain.forward, model)
    return model


@pytest.mark.parametrize("change", [compiled, compiled_in_place, with_its_own_method])
def test_a_view_of_what_is_bound_to_the_module_has_its_own_mode(
    change: Callable[[torch.nn.Module], torch.nn.Module],
) -> None:
    x = torch.ones(100)
    for model in (change(Plain()), torch.nn.Sequential(change(Plain()))):
        assert torch.equal(evaluation_view(model)(x), x)
        assert not torch.equal(model(x), x)


def test_another_forward_needs_evaluation_mode() -> None:
    model = Plain()
    forward = model.forward
    model.forward = lambda x: forward(x)  # bound to the module for good
    with pytest.raises(TypeError, match="Plain must be in evaluation mode where its forward was"):
        evaluation_view(model)
    assert torch.equal(evaluation_view(model.eval())(torch.ones(9)), torch.ones(9))
