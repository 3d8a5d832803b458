"""The example of a sentence encoder: which utterances reach which, and that the graph helps."""

import pytest
import sentence_encoder as example
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.testing.strategies import seeds
from tests.asserts import assert_every_parameter_learns


class Transformer(torch.nn.Module):
    """A sentence encoder of another kind."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(example.WORDS, 8)
        self.layer = torch.nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=16, dropout=0.0)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.layer(self.embedding(tokens.t())).mean(0)


@given(st.sampled_from([None, 0, 1]), seeds, st.integers(0, 1000))
def test_which_utterances_reach_which(window: int | None, seed: int, utterance: int) -> None:
    batch = example.make_conversations(3, seed)
    torch.manual_seed(seed)
    model = example.ConversationClassifier(
        torch.nn.EmbeddingBag(example.WORDS, 8), 8, 4, window
    ).double()
    changed = utterance % len(batch.y)
    tokens = batch.tokens.clone()
    tokens[changed] = (tokens[changed] + 1) % example.WORDS
    before, after = (model(each, batch.layout) for each in (batch.tokens, tokens))
    changes = (before != after).any(1)
    conversation, speaker = batch.layout.batch, batch.layout.speaker
    together = conversation == conversation[changed]
    if window is None:
        assert torch.equal(changes, together)
    else:
        assert not changes[~together].any()
    if window == 0:
        assert torch.equal(changes, together & (speaker == speaker[changed]))


def test_any_encoder_learns_with_the_rest() -> None:
    batch = example.make_conversations(4, seed=0)
    model = example.ConversationClassifier(Transformer(), 8, num_classes=4)
    out = model(batch.tokens, batch.layout)
    assert out.shape == (len(batch.y), 4)
    assert_every_parameter_learns(model, out)


@given(seeds)
def test_conversations_have_the_documented_structure(seed: int) -> None:
    batch = example.make_conversations(20, seed)
    lengths = batch.layout.ptr.diff()
    assert lengths.min() >= 6
    assert lengths.max() <= 14
    first = batch.layout.ptr[:-1]
    assert torch.equal(batch.y, batch.y[first].repeat_interleave(lengths))
    topic = batch.tokens // 10
    informative = topic < example.TOPICS
    assert torch.equal(topic[informative], batch.y.unsqueeze(1).expand_as(topic)[informative])
    assert informative.sum(1).max() <= 1
    assert torch.equal(batch.tokens, example.make_conversations(20, seed).tokens)


@pytest.mark.slow
def test_the_graph_pays(capsys: pytest.CaptureFixture[str]) -> None:
    (with_graph,), (without,) = example.main(seeds=1).values()
    assert with_graph > without + 0.1
    assert f"with the graph: accuracy {100 * with_graph:.1f} %\n" in capsys.readouterr().out
