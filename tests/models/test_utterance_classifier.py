import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from graphfusion import UtteranceClassifier
from graphfusion.testing.strategies import seeds
from tests.asserts import assert_equal, assert_every_parameter_learns, assert_saves


@st.composite
def cases(draw: st.DrawFn) -> tuple[UtteranceClassifier, Tensor, Tensor]:
    """An expert of any size, utterances, and what another model says of them."""
    torch.manual_seed(draw(seeds))
    size, channels = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    num_classes, scale = draw(st.integers(1, 4)), draw(st.sampled_from([0.0, 1e-6, 1.0, 1e6]))
    expert = UtteranceClassifier(channels, draw(st.integers(1, 6)), num_classes, dropout=0.0)
    x = torch.randn(size, channels, dtype=torch.float64) * scale
    return expert.double(), x, torch.randn(size, num_classes, dtype=torch.float64)


def alone(expert: UtteranceClassifier, x: Tensor) -> Tensor:
    """By definition: a network with one hidden layer."""
    hidden = (x @ expert.hidden.weight.T + expert.hidden.bias).clamp_min(0)
    return hidden @ expert.classifier.weight.T + expert.classifier.bias


@given(cases())
def test_probabilities_are_the_geometric_mean(
    case: tuple[UtteranceClassifier, Tensor, Tensor],
) -> None:
    expert, x, logits = case
    product = (alone(expert, x).softmax(1) * logits.softmax(1)).sqrt()
    expected = alone(expert, x).sub(logits).div(2).add(logits)
    out = expert.eval()(x, logits)
    assert_equal(out, expected)
    if x.abs().max() < 10:  # else some are 0
        assert_equal(out.softmax(1), product / product.sum(1, keepdim=True))


@given(cases())
def test_in_training_each_utterance_has_one_teacher(
    case: tuple[UtteranceClassifier, Tensor, Tensor],
) -> None:
    """Neither opinion is mixed into the other, and only the one that was drawn learns."""
    expert, x, logits = case
    x, logits = x.requires_grad_(), logits.requires_grad_()
    out = expert.train()(x, logits)
    of_logits = (out == logits).all(1)
    torch.testing.assert_close(out[~of_logits], alone(expert, x)[~of_logits])
    by_x, by_logits = torch.autograd.grad(out.sum(), (x, logits))
    assert torch.equal(by_logits, of_logits.double().unsqueeze(1).expand_as(logits))
    assert not by_x[of_logits].any()


def test_the_odds_are_even_and_of_the_seed() -> None:
    expert = UtteranceClassifier(3, 4, 2, dropout=0.0)
    x, logits = torch.randn(10_000, 3), torch.full((10_000, 2), torch.inf)
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(expert(x, logits).isinf().any(1))
    assert torch.equal(draws[0], draws[1])
    assert 4_800 < draws[0].sum() < 5_200  # four standard deviations
    assert 4_800 < (draws[0] == draws[2]).sum() < 5_200


@given(cases(), seeds)
def test_an_utterance_hears_no_other(
    case: tuple[UtteranceClassifier, Tensor, Tensor], seed: int
) -> None:
    expert, x, logits = case
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    expert.eval()
    assert_equal(expert(x[order], logits[order]), expert(x, logits)[order])
    assert_equal(expert(x[:1], logits[:1]), expert(x, logits)[:1])


def test_dropout_is_of_the_hidden_layer_and_of_training() -> None:
    expert = UtteranceClassifier(3, 5, 2, dropout=1.0)
    x, logits = torch.randn(50, 3), torch.full((50, 2), torch.inf)
    out = expert(x, logits)
    bias = out[~out.isinf().any(1)]
    assert torch.equal(bias, expert.classifier.bias.expand_as(bias))
    assert len(expert.eval()(x, torch.zeros(50, 2)).unique(dim=0)) > 40


def test_learns_saves_and_has_derivatives() -> None:
    expert = UtteranceClassifier(3, 5, 2).double().eval()
    assert expert.dropout.p == 0.5
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    logits = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(expert, (x, logits))
    assert_every_parameter_learns(expert, expert(x, logits))
    assert_saves(expert, x, logits)


@pytest.mark.parametrize("training", [True, False])
def test_autocast(training: bool) -> None:
    expert = UtteranceClassifier(3, 5, 2).train(training)
    with torch.autocast("cpu", torch.bfloat16):
        out = expert(torch.randn(6, 3), torch.randn(6, 2, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16
    assert out.isfinite().all()


def test_the_mean_of_huge_logits_is_in_range() -> None:
    expert, huge = UtteranceClassifier(3, 5, 2).half().eval(), torch.full((6, 2), 4e4).half()
    torch.nn.init.zeros_(expert.classifier.weight)
    torch.nn.init.constant_(expert.classifier.bias, 4e4)
    assert torch.equal(expert(torch.randn(6, 3).half(), huge), huge)


def test_repr() -> None:
    assert repr(UtteranceClassifier(3, 5, 2)) == "UtteranceClassifier(3, 5, num_classes=2)"


@pytest.mark.parametrize("argument", ["in_channels", "hidden_channels", "num_classes"])
def test_bad_sizes(argument: str) -> None:
    sizes = {"in_channels": 3, "hidden_channels": 5, "num_classes": 2}
    with pytest.raises(ValueError, match=f"{argument} must be at least 1, but got 0"):
        UtteranceClassifier(**(sizes | {argument: 0}))
    with pytest.raises(TypeError, match=f"{argument} must be an integer, but got 2.5"):
        UtteranceClassifier(**(sizes | {argument: 2.5}))


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"dropout must be finite and in \[0, 1\], but got 2"):
        UtteranceClassifier(3, 5, 2, dropout=2)
    expert, x, logits = UtteranceClassifier(3, 5, 2), torch.randn(6, 3), torch.randn(6, 2)
    with pytest.raises(ValueError, match=r"x must have shape \[U, 3\], but got \[6, 2\]"):
        expert(logits, logits)
    with pytest.raises(ValueError, match=r"logits must have shape \[6, 2\], but got \[5, 2\]"):
        expert(x, logits[:5])
    with pytest.raises(TypeError, match="x must be of the module's dtype"):
        expert(x.double(), logits)
    with pytest.raises(TypeError, match="logits must be of the module's dtype"):
        expert(x, logits.double())
    with pytest.raises(ValueError, match="x must not be empty"):
        expert(x[:0], logits[:0])
    with pytest.raises(TypeError, match="logits must be a tensor, but got None"):
        expert(x, None)
