"""The example of somebody else's model: what each utterance hears, and that it pays."""

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
def test_who_hears_whom(reach: int | None, seed: int, utterance: int) -> None:
    talks = example.make_talks(3, seed)
    torch.manual_seed(seed)
    model = example.TalkClassifier(torch.nn.EmbeddingBag(example.WORDS, 8), 8, 4, reach).double()
    changed = utterance % len(talks.y)
    tokens = talks.tokens.clone()
    tokens[changed] = (tokens[changed] + 1) % example.WORDS
    before, after = (model(each, talks.layout) for each in (talks.tokens, tokens))
    heard = (before != after).any(1)
    batch, speaker = talks.layout.batch, talks.layout.speaker
    together = batch == batch[changed]
    if reach is None:
        assert torch.equal(heard, together)
    else:
        assert not heard[~together].any()
    if reach == 0:
        assert torch.equal(heard, together & (speaker == speaker[changed]))


def test_any_encoder_learns_with_the_rest() -> None:
    talks = example.make_talks(4, seed=0)
    model = example.TalkClassifier(Transformer(), 8, num_classes=4)
    out = model(talks.tokens, talks.layout)
    assert out.shape == (len(talks.y), 4)
    assert_every_parameter_learns(model, out)


@given(seeds)
def test_talks_are_what_they_say(seed: int) -> None:
    talks = example.make_talks(20, seed)
    lengths = talks.layout.ptr.diff()
    assert lengths.min() >= 6
    assert lengths.max() <= 14
    first = talks.layout.ptr[:-1]
    assert torch.equal(talks.y, talks.y[first].repeat_interleave(lengths))
    topic = talks.tokens // 10
    telling = topic < example.TOPICS
    assert torch.equal(topic[telling], talks.y.unsqueeze(1).expand_as(topic)[telling])
    assert telling.sum(1).max() <= 1
    assert torch.equal(talks.tokens, example.make_talks(20, seed).tokens)


def test_the_graph_pays(capsys: pytest.CaptureFixture[str]) -> None:
    (with_graph,), (without,) = example.main(seeds=1).values()
    assert with_graph > without + 0.1
    assert f"with the graph: {100 * with_graph:.1f} % right\n" in capsys.readouterr().out
