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
