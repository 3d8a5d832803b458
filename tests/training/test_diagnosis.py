"""What a trained model's parts do."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from graphfusion.datasets import Corpus
from graphfusion.training import Recipe, Run, diagnose, fit, fit_seeds

Make = Callable[..., Recipe]
pytestmark = [
    pytest.mark.filterwarnings("ignore::Warning"),  # the trainer's, about tiny data
    pytest.mark.usefixtures("undrawn"),
]


def test_a_run(runs: list[Run], corpus: Corpus) -> None:
    first = runs[1].first_weights
    model = runs[1].model()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    found = diagnose(model, corpus.splits["test"], first)
    assert 0 < found.edges["perplexity"] <= 1
    assert len(found.layers) == 1
    assert list(found.moved.index) == [name for name, _ in model.named_parameters()]
    assert (found.moved["change"] > 0).any()
    size = float(first["fusion.lin.weight"].square().mean().sqrt())
    assert found.moved.loc["fusion.lin.weight", "first"] == pytest.approx(size)
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert not model.training
    assert type(model.fusion).__name__ == "DynamicFusion"


def test_the_first_weights_are_those_that_were_given(
    corpus: Corpus, folder: Path, small: Make
) -> None:
    """Whoever drew them, and also after a resumption."""
    recipe = small(epochs=1)
    model = recipe.build(corpus)
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    given = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    fit(model, corpus, folder, recipe.settings, recipe=recipe)
    longer = small(epochs=2)
    run = fit(longer.build(corpus), corpus, folder, longer.settings, recipe=longer, resume=True)
    assert run.first_weights.keys() == given.keys()
    assert all(torch.equal(run.first_weights[name], each) for name, each in given.items())


def test_an_untrained_model_has_not_moved(corpus: Corpus, folder: Path, small: Make) -> None:
    (run,) = fit_seeds(small(epochs=1, lr=0.0), corpus, folder, [7])
    assert (
        diagnose(run.model(), corpus.splits["test"], run.first_weights).moved["change"] == 0
    ).all()


@pytest.mark.parametrize("name", ["bigru", "no_fusion", "static", "self_attention"])
def test_other_models_have_what_they_have(name: str, corpus: Corpus, small: Make) -> None:
    found = diagnose(small(name).build(corpus), corpus.splits["test"])
    assert bool(found.edges) == (name != "bigru")
    assert len(found.layers) == (name == "static")
    assert found.moved.empty


def test_weights_of_another_model_are_refused(runs: list[Run], corpus: Corpus, small: Make) -> None:
    wide = small(hidden_channels=6).build(corpus)
    with pytest.raises(ValueError, match="first must have .* of shape"):
        diagnose(wide, corpus.splits["test"], runs[0].first_weights)
    with pytest.raises(
        ValueError, match="first must have all of the model's parameters, but lacks"
    ):
        diagnose(wide, corpus.splits["test"], {})
    with pytest.raises(ValueError, match="conversations must have at least one, but is empty"):
        diagnose(wide, [])
