"""The encoder of MM-DFN alone: its equation, and what it refuses."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import BatchLayout, UtteranceEncoder, speaker_normalize
from graphfusion.testing.strategies import RaggedBatch, batches, seeds
from tests.profiles import in_quick

SIZES = {"text": 5, "audio": 3}
LAYOUT = BatchLayout(torch.tensor([0, 3, 5]), speaker=torch.tensor([0, 1, 0, 0, 1]))


def features(num: int = 5) -> dict[str, torch.Tensor]:
    return {name: torch.randn(num, size) for name, size in SIZES.items()}


@in_quick(10)
@given(batches(), seeds, st.booleans(), st.booleans())
def test_is_context_plus_weighted_speaker(
    batch: RaggedBatch, seed: int, bidirectional: bool, normalized: bool
) -> None:
    """The first modality has a context encoder, the last one the speaker encoder's output."""
    torch.manual_seed(seed)
    sizes = {name: value.size(1) for name, value in batch.features.items()}
    names = list(sizes)
    encoder = UtteranceEncoder(
        sizes,
        channels=6,
        speaker_weights=dict.fromkeys(names, 0.0) | {names[-1]: 2.5},
        context=names[:1],
        speaker_normalized=names[-1:] if normalized and bidirectional else [],
        bidirectional=bidirectional,
    )
    encoder, layout = encoder.double().eval(), batch.layout
    projected = []
    for m, (name, x) in enumerate(batch.features.items()):
        here = x.where(batch.here[:, [m]], 0)
        if name in encoder.speaker_normalized:
            here = torch.cat([here, speaker_normalize(here, layout, m)], 1)
        projected.append(encoder.projections[name](here))
    expected = torch.stack(projected, 1)
    speaker = encoder.speaker_encoder(expected, layout)
    expected[:, 0] = encoder.contexts[names[0]](projected[0], layout, 0)
    expected[:, -1] += 2.5 * speaker[:, -1]
    found = encoder(batch.features, layout)
    assert found.shape == (*batch.here.shape, 6)
    torch.testing.assert_close(found[batch.here], expected[batch.here])


def test_the_order_of_a_dict_does_not_matter() -> None:
    encoder, given = UtteranceEncoder(SIZES, channels=6).eval(), features()
    turned = dict(reversed(given.items()))
    assert torch.equal(encoder(given, LAYOUT), encoder(turned, LAYOUT))


def test_sizes_are_those_of_the_paper() -> None:
    encoder = UtteranceEncoder(SIZES)
    assert encoder.out_channels == 200
    assert encoder.speaker_weights == {"text": 1.0, "audio": 1.0}
    assert len(encoder.contexts) == len(encoder.speaker_normalized) == 0
    assert encoder(features(), LAYOUT).shape == (5, 2, 200)
    assert repr(encoder) == "UtteranceEncoder({'text': 5, 'audio': 3}, channels=200)"


def test_without_weights_there_is_no_speaker_encoder() -> None:
    encoder = UtteranceEncoder(SIZES, channels=6, speaker_weights=dict.fromkeys(SIZES, 0.0))
    assert encoder.speaker_encoder is None
    assert encoder(features(), torch.tensor([0, 3, 5])).shape == (5, 2, 6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"channels": 1}, ValueError, "^channels must be .* 2"),
        ({"channels": 0, "bidirectional": False}, ValueError, "^channels must be .* 1"),
        ({"channels": 5}, ValueError, "^channels must be even, for two directions, but got 5"),
        ({"bidirectional": "yes"}, TypeError, "^bidirectional must be"),
        ({"speaker_weights": [1.0, 2.0]}, TypeError, "^speaker_weights must map names to numbers"),
        ({"speaker_weights": {"pose": 1.0}}, ValueError, "^speaker_weights must .*pose"),
        ({"speaker_weights": {"text": "1"}}, TypeError, r"^speaker_weights\['text'\] must be"),
        ({"context": ["pose"]}, ValueError, "^context must .*pose"),
        ({"context": ["text", "text"]}, ValueError, "^context must"),
        ({"speaker_normalized": ["pose"]}, ValueError, "^speaker_normalized must .*pose"),
        ({"speaker_normalized": "text"}, TypeError, "^speaker_normalized must"),
        (
            {"speaker_normalized": ["text"], "bidirectional": False},
            ValueError,
            "^speaker_normalized must be empty where causal is",
        ),
    ],
)
def test_bad_arguments(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        UtteranceEncoder(SIZES, **arguments)


def test_one_channel_is_enough_for_one_direction() -> None:
    assert UtteranceEncoder(SIZES, 1, bidirectional=False)(features(), LAYOUT).shape == (5, 2, 1)


def test_bad_input() -> None:
    encoder, given = UtteranceEncoder(SIZES, channels=6), features()
    with pytest.raises(ValueError, match="audio"):
        encoder({"text": given["text"]}, LAYOUT)
    with pytest.raises(ValueError, match="pose"):
        encoder(given | {"pose": given["text"]}, LAYOUT)
    with pytest.raises(ValueError, match=r"features\['text'\] must have shape \[5, 5\]"):
        encoder(given | {"text": given["text"][:4]}, LAYOUT)
    with pytest.raises(ValueError, match="speaker must be given"):
        encoder(given, torch.tensor([0, 3, 5]))
    unnamed = torch.tensor([[True, False]]).expand(5, 2)
    with pytest.raises(ValueError, match="present"):
        encoder(given, BatchLayout(LAYOUT.ptr, LAYOUT.speaker, unnamed))
