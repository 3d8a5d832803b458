import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from graphfusion import UtteranceClassifier
from graphfusion.testing.strategies import seeds
from tests.asserts import assert_equal, assert_every_parameter_learns, assert_saves

SIZES = {"text": 3}


@st.composite
def cases(draw: st.DrawFn) -> tuple[UtteranceClassifier, Tensor, Tensor]:
    """A classifier of any size, utterances, and the logits of another model."""
    torch.manual_seed(draw(seeds))
    size, channels = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    num_classes, scale = draw(st.integers(1, 4)), draw(st.sampled_from([0.0, 1e-6, 1.0, 1e6]))
    classifier = UtteranceClassifier(
        {"text": channels}, draw(st.integers(1, 6)), num_classes, dropout=0.0
    )
    x = torch.randn(size, channels, dtype=torch.float64) * scale
    return classifier.double(), x, torch.randn(size, num_classes, dtype=torch.float64)


def alone(classifier: UtteranceClassifier, x: Tensor) -> Tensor:
    """By definition: a network with one hidden layer."""
    hidden = (x @ classifier.hidden.weight["text"].T + classifier.hidden.bias).clamp_min(0)
    return hidden @ classifier.classifier.weight.T + classifier.classifier.bias


@given(cases())
def test_probabilities_are_the_geometric_mean(
    case: tuple[UtteranceClassifier, Tensor, Tensor],
) -> None:
    classifier, x, logits = case
    product = (alone(classifier, x).softmax(1) * logits.softmax(1)).sqrt()
    expected = alone(classifier, x).sub(logits).div(2).add(logits)
    out = classifier.eval()({"text": x}, logits)
    assert_equal(out, expected)
    if x.abs().max() < 10:  # else some are 0
        assert_equal(out.softmax(1), product / product.sum(1, keepdim=True))


@given(cases())
def test_in_training_each_utterance_has_one_of_the_logits(
    case: tuple[UtteranceClassifier, Tensor, Tensor],
) -> None:
    """Logits are not mixed, and only what was drawn gets a gradient."""
    classifier, x, logits = case
    x, logits = x.requires_grad_(), logits.requires_grad_()
    out = classifier.train()({"text": x}, logits)
    of_logits = (out == logits).all(1)
    torch.testing.assert_close(out[~of_logits], alone(classifier, x)[~of_logits])
    by_x, by_logits = torch.autograd.grad(out.sum(), (x, logits))
    assert torch.equal(by_logits, of_logits.double().unsqueeze(1).expand_as(logits))
    assert not by_x[of_logits].any()


def test_both_are_drawn_equally_often_and_by_the_seed() -> None:
    classifier = UtteranceClassifier(SIZES, 4, 2, dropout=0.0)
    x, logits = torch.randn(10_000, 3), torch.full((10_000, 2), torch.inf)
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        draws.append(classifier({"text": x}, logits).isinf().any(1))
    assert torch.equal(draws[0], draws[1])
    assert 4_800 < draws[0].sum() < 5_200  # four standard deviations
    assert 4_800 < (draws[0] == draws[2]).sum() < 5_200


@given(cases(), seeds)
def test_an_utterance_depends_on_no_other(
    case: tuple[UtteranceClassifier, Tensor, Tensor], seed: int
) -> None:
    classifier, x, logits = case
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    classifier.eval()
    assert_equal(
        classifier({"text": x[order]}, logits[order]), classifier({"text": x}, logits)[order]
    )
    assert_equal(classifier({"text": x[:1]}, logits[:1]), classifier({"text": x}, logits)[:1])


def test_dropout_is_of_the_hidden_layer_and_of_training() -> None:
    classifier = UtteranceClassifier(SIZES, 5, 2, dropout=1.0)
    x, logits = torch.randn(50, 3), torch.full((50, 2), torch.inf)
    out = classifier({"text": x}, logits)
    bias = out[~out.isinf().any(1)]
    assert torch.equal(bias, classifier.classifier.bias.expand_as(bias))
    assert len(classifier.eval()({"text": x}, torch.zeros(50, 2)).unique(dim=0)) > 40


def test_learns_saves_and_has_derivatives() -> None:
    classifier = UtteranceClassifier(SIZES, 5, 2).double().eval()
    assert classifier.dropout.p == 0.5
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    logits = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, y: classifier({"text": x}, y), (x, logits))
    assert_every_parameter_learns(classifier, classifier({"text": x}, logits))
    assert_saves(classifier, {"text": x}, logits)


@pytest.mark.parametrize("training", [True, False])
def test_autocast(training: bool) -> None:
    classifier = UtteranceClassifier(SIZES, 5, 2).train(training)
    with torch.autocast("cpu", torch.bfloat16):
        out = classifier({"text": torch.randn(6, 3)}, torch.randn(6, 2, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16
    assert out.isfinite().all()


def test_the_mean_of_huge_logits_is_in_range() -> None:
    classifier, huge = (
        UtteranceClassifier(SIZES, 5, 2).half().eval(),
        torch.full((6, 2), 4e4).half(),
    )
    torch.nn.init.zeros_(classifier.classifier.weight)
    torch.nn.init.constant_(classifier.classifier.bias, 4e4)
    assert torch.equal(classifier({"text": torch.randn(6, 3).half()}, huge), huge)


def test_repr() -> None:
    assert (
        repr(UtteranceClassifier(SIZES, 5, 2))
        == "UtteranceClassifier({'text': 3}, 5, num_classes=2)"
    )


@pytest.mark.parametrize("argument", ["hidden_channels", "num_classes"])
def test_bad_sizes(argument: str) -> None:
    sizes = {"in_channels": SIZES, "hidden_channels": 5, "num_classes": 2}
    with pytest.raises(ValueError, match=f"{argument} must be at least 1, but got 0"):
        UtteranceClassifier(**(sizes | {argument: 0}))
    with pytest.raises(TypeError, match=f"{argument} must be an integer, but got 2.5"):
        UtteranceClassifier(**(sizes | {argument: 2.5}))


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"dropout must be finite and in \[0, 1\], but got 2"):
        UtteranceClassifier(SIZES, 5, 2, dropout=2)
    classifier, x, logits = UtteranceClassifier(SIZES, 5, 2), torch.randn(6, 3), torch.randn(6, 2)
    with pytest.raises(
        ValueError, match=r"features\[.text.\] must have shape \[U, 3\], but got \[6, 2\]"
    ):
        classifier({"text": logits}, logits)
    with pytest.raises(ValueError, match=r"logits must have shape \[6, 2\], but got \[5, 2\]"):
        classifier({"text": x}, logits[:5])
    with pytest.raises(TypeError, match="features must be of the module's dtype"):
        classifier({"text": x.double()}, logits)
    with pytest.raises(TypeError, match="logits must be of the module's dtype"):
        classifier({"text": x}, logits.double())
    with pytest.raises(ValueError, match="features must not be empty"):
        classifier({"text": x[:0]}, logits[:0])
    with pytest.raises(TypeError, match="logits must be a tensor, but got None"):
        classifier({"text": x}, None)


def test_modalities_in_any_order() -> None:
    one = UtteranceClassifier({"text": 3, "audio": 2}, 5, 2).eval()
    other = UtteranceClassifier({"audio": 2, "text": 3}, 5, 2).eval()
    other.load_state_dict(one.state_dict())
    features = {"audio": torch.randn(6, 2), "text": torch.randn(6, 3)}
    logits = torch.randn(6, 2)
    torch.testing.assert_close(one(features, logits), other(features, logits))
