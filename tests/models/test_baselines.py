"""The baselines: models of other parts, which keep the promises of MM-DFN."""

import pytest
import torch

from graphfusion import BatchLayout, Conversation, ConversationGraph, ConversationModel
from graphfusion.models.baselines import bigru, logistic
from graphfusion.models.identity import NoGraph

SIZES = {"text": 5, "audio": 4}
MADE = {
    "bigru": lambda sizes, **besides: bigru(sizes, 3, **besides),
    "logistic": lambda sizes, **besides: logistic(sizes, 3, **besides),
}


def conversation(length: int = 6, **present: torch.Tensor) -> Conversation:
    features = {name: torch.randn(length, size) for name, size in SIZES.items()}
    return Conversation(features, torch.arange(length) % 2, present=present)


@pytest.mark.parametrize(
    "besides", [{}, {"speaker_normalized": ("audio",), "utterance_channels": 8}]
)
@pytest.mark.parametrize("name", MADE)
def test_every_utterance_is_predicted_and_absent_modalities_are_ignored(
    name: str, besides: dict[str, object]
) -> None:
    model = MADE[name](SIZES, **besides).eval()
    each = conversation(audio=torch.arange(6) != 1)
    out = model(each)
    assert out.shape == (6, 3)
    each.features["audio"][1] = torch.nan
    assert torch.equal(model(each), out)


@pytest.mark.parametrize("name", MADE)
def test_the_order_of_modalities_does_not_matter(name: str) -> None:
    besides = {"speaker_normalized": ("audio",), "utterance_channels": 8}
    model = MADE[name](SIZES, **besides).eval()
    other = MADE[name](dict(reversed(SIZES.items())), **besides).eval()
    other.load_state_dict(model.state_dict())
    each = conversation()
    torch.testing.assert_close(other(each), model(each))
    torch.manual_seed(0)
    model = MADE[name](SIZES, **besides)
    torch.manual_seed(0)
    other = MADE[name](dict(reversed(SIZES.items())), **besides)
    assert torch.equal(other.eval()(each), model.eval()(each))


@pytest.mark.parametrize("name", MADE)
def test_an_utterance_classifier_may_stand_beside(name: str) -> None:
    each = conversation()
    model = MADE[name](SIZES, utterance_channels=8).eval()
    out = model(each)
    beside, model.head.utterance_classifier = model.head.utterance_classifier, None
    torch.testing.assert_close(out, beside(each.features, model(each)))
    with pytest.raises(ValueError, match="utterance_channels must be at least 1, but got 0"):
        MADE[name](SIZES, utterance_channels=0)


@pytest.mark.parametrize("name", MADE)
def test_speaker_normalized_names_modalities(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"speaker_normalized must name some of .* but got \['face'\]"
    ):
        MADE[name](SIZES, speaker_normalized=["face"])
    with pytest.raises(
        TypeError, match="speaker_normalized must be a sequence of names, but got 'audio'"
    ):
        MADE[name](SIZES, speaker_normalized="audio")


@pytest.mark.parametrize("name", MADE)
def test_any_is_saved_and_loaded(name: str, tmp_path) -> None:
    model, other = MADE[name](SIZES).eval(), MADE[name](SIZES)
    model.standardize.fit([conversation()])
    model.save_pretrained(tmp_path)
    parts = {part: getattr(other, part) for part in ("encoder", "graph", "fusion", "head")}
    loaded = ConversationModel.from_pretrained(tmp_path, **parts)
    each = conversation()
    assert torch.equal(loaded(each), model(each))


def test_no_graph_is_that_of_nodes_without_neighbours() -> None:
    x, layout = torch.randn(5, 1, 3), BatchLayout(torch.tensor([0, 2, 5]))
    alone = ConversationGraph(past=0, future=0)(x, layout)
    torch.testing.assert_close(NoGraph()(x, layout).propagate(x), alone.propagate(x))


def test_other_parts_do_not_stream() -> None:
    with pytest.raises(
        TypeError, match="encoder must be of UtteranceEncoder to stream, but got GRU"
    ):
        bigru(SIZES, 3).stream()
