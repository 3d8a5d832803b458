"""The classifier of an utterance's fused nodes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import Classifier, UtteranceClassifier
from graphfusion.models.named_linear import NamedLinear
from graphfusion.testing.strategies import seeds


@given(seeds, st.integers(1, 3), st.integers(1, 4))
def test_is_one_linear_map_of_all_nodes_after_relu(seed: int, modalities: int, size: int) -> None:
    torch.manual_seed(seed)
    names = [f"m{number}" for number in range(modalities)]
    head = Classifier(names, in_channels=size, num_classes=3, dropout=0.5).double().eval()
    x = torch.randn(5, modalities, size, dtype=torch.float64)
    parts = [x[:, m].relu() @ weight.T for m, weight in enumerate(head.linear.weight.values())]
    torch.testing.assert_close(head(x), sum(parts) + head.linear.bias)


def test_an_utterance_classifier_gets_the_features_and_the_logits() -> None:
    sizes = {"audio": 3, "text": 5}
    beside = UtteranceClassifier(sizes, 6, num_classes=4)
    head = Classifier(list(sizes), 8, num_classes=4, utterance_classifier=beside).eval()
    x, features = torch.randn(5, 2, 8), {name: torch.randn(5, d) for name, d in sizes.items()}
    alone = head.linear(x.flatten(1).relu())
    assert torch.equal(head(x, features), beside(features, alone))
    assert not torch.equal(head(x, features), alone)


def test_bad_input() -> None:
    head = Classifier(["audio", "text"], in_channels=8, num_classes=4)
    with pytest.raises(ValueError, match=r"^x must have shape \[U, 2, 8\], but got \[5, 3, 8\]"):
        head(torch.randn(5, 3, 8))
    with pytest.raises(TypeError, match=r"^x must be .*float32"):
        head(torch.randn(5, 2, 8).double())
    with pytest.raises(ValueError, match="^num_classes must be"):
        Classifier(["text"], 8, 0)
    with pytest.raises(ValueError, match="^in_channels must be"):
        Classifier(["text"], 0, 4)
    with pytest.raises(ValueError, match="^modalities must"):
        Classifier(["text", "text"], 8, 4)
    with pytest.raises(ValueError, match="^dropout must be"):
        Classifier(["text"], 8, 4, dropout=2.0)


def test_repr_of_the_linear_map_names_the_modalities() -> None:
    linear = NamedLinear({"text": 3, "audio": 2}, 4)
    assert repr(linear) == "NamedLinear({'text': 3, 'audio': 2}, 4)"
