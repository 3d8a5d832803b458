"""What is streamed is what the whole conversation gives."""

from collections.abc import Iterator
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from graphfusion import MMDFN, Conversation, Stream, UtteranceEncoder
from graphfusion.export import StreamingStep
from graphfusion.streaming.graph_cache import LEAST_CAPACITY
from graphfusion.testing import RaggedBatch
from graphfusion.testing.batches import VECTORS
from graphfusion.testing.strategies import batches, models, seeds
from tests.asserts import assert_equal

SLOW = pytest.mark.slow
NIGHTLY = pytest.mark.nightly

SMALL = {"channels": 4, "hidden_channels": 3, "num_layers": 2}


@st.composite
def models_and_batches(draw: st.DrawFn, max_length: int = 12) -> tuple[MMDFN, RaggedBatch]:
    batch = draw(batches(max_length=max_length))
    return draw(models(batch.x.size(1), num_classes=3, causal=True, **SMALL)).train(), batch


def small_model(**options: object) -> MMDFN:
    return MMDFN({"text": 5, "audio": 5}, 3, **({"causal": True} | SMALL | options)).double()


def small_step(size: int = 1) -> dict[str, object]:
    return {
        "features": {name: torch.randn(size, 5).double() for name in ("text", "audio")},
        "speaker": torch.zeros(size, dtype=torch.int64),
    }


def rows(batch: RaggedBatch, utterances: Tensor) -> dict[str, object]:
    return {
        "features": {name: x[utterances] for name, x in batch.features.items()},
        "speaker": batch.speaker[utterances],
        "present": None
        if batch.present is None
        else {name: each[utterances] for name, each in batch.named_present.items()},
    }


def steps_of(batch: RaggedBatch, random: Random) -> Iterator[tuple[Tensor, Tensor]]:
    """Steps of some conversations at a time, in any order: which, and their next utterances."""
    upcoming, end = batch.ptr[:-1].clone(), batch.ptr[1:]
    while len(going := (upcoming < end).nonzero().flatten()):
        chosen = random.sample(going.tolist(), random.randint(1, len(going)))
        conversation = torch.tensor(chosen)
        yield conversation, upcoming[conversation]
        upcoming[conversation] += 1


def whole(model: MMDFN, batch: RaggedBatch) -> Tensor:
    model.eval()
    return model(batch.features, batch.layout).detach()


@given(models_and_batches(), st.randoms())
def test_streaming_is_the_whole_conversation(
    case: tuple[MMDFN, RaggedBatch], random: Random
) -> None:
    model, batch = case
    stream = model.stream(len(batch.ptr) - 1)
    logits = torch.full((len(batch.x), 3), torch.nan, dtype=torch.float64)
    for conversation, utterances in steps_of(batch, random):
        logits[utterances] = stream.step(**rows(batch, utterances), conversation=conversation)
    assert model.training
    assert_equal(logits, whole(model, batch), rtol=1e-11)


@given(models_and_batches(), seeds)
def test_predictions_of_a_prefix_are_those_of_the_whole(
    case: tuple[MMDFN, RaggedBatch], seed: int
) -> None:
    model, batch = case
    conversation = batch.conversations()[seed % (len(batch.ptr) - 1)]
    size = len(conversation.x)
    expected = whole(model, conversation)
    for length in range(1, size + 1):
        prefix = conversation.take(torch.arange(length), [length])
        assert_equal(whole(model, prefix), expected[:length], rtol=1e-11)


@given(models_and_batches(), seeds)
def test_later_utterances_change_no_bit(case: tuple[MMDFN, RaggedBatch], seed: int) -> None:
    model, batch = case
    generator = torch.Generator().manual_seed(seed)
    start, end = batch.ptr[:-1], batch.ptr[1:]
    now = start + (torch.rand(len(start), generator=generator) * (end - start)).long()
    index = torch.arange(len(batch.x))
    later = index > now[batch.layout.batch]
    other = batch.with_x(torch.where(later.view(-1, 1, 1), batch.x * 1e3 + 7, batch.x))
    expected, got = whole(model, batch), whole(model, other)
    assert torch.equal(got[~later], expected[~later])


@given(models_and_batches(), st.randoms(), st.integers(0, 30))
def test_a_restored_stream_continues_to_the_bit(
    case: tuple[MMDFN, RaggedBatch], random: Random, cut: int
) -> None:
    model, batch = case
    steps = list(steps_of(batch, random))
    cut = min(cut, len(steps))
    first, second = (model.stream(len(batch.ptr) - 1) for _ in range(2))
    for number, (conversation, utterances) in enumerate(steps):
        if number == cut:
            second.load_state_dict(first.state_dict())
        logits = first.step(**rows(batch, utterances), conversation=conversation)
        if number >= cut:
            again = second.step(**rows(batch, utterances), conversation=conversation)
            assert torch.equal(again, logits)


@pytest.mark.parametrize(
    ("past", "gated", "kind", "masked"),
    [
        (40, True, "normal", True),
        *(pytest.param(past, True, "normal", True, marks=SLOW) for past in (None, 0)),
        *(pytest.param(past, True, "normal", False, marks=SLOW) for past in (None, 0, 40)),
        pytest.param(40, False, "normal", False, marks=SLOW),
        *(pytest.param(past, False, "normal", False, marks=NIGHTLY) for past in (None, 0)),
        *(pytest.param(10, True, kind, False, marks=SLOW) for kind in VECTORS),
    ],
)
def test_at_the_size_of_the_paper(past: int | None, gated: bool, kind: str, masked: bool) -> None:
    torch.manual_seed(0)
    sizes = {"audio": 30, "visual": 20, "text": 10}
    model = MMDFN.from_preset("iemocap", sizes, 6, causal=True, past=past, gated=gated).eval()
    features = {name: VECTORS[kind](torch.randn(110, 1, d))[:, 0] for name, d in sizes.items()}
    speaker = torch.randint(0, 2, (110,))
    present = {name: torch.rand(110) < (0.5 if masked else 1) for name in sizes}
    stream = model.stream()
    logits = []
    for u in (slice(u, u + 1) for u in range(110)):
        utterance = {name: x[u] for name, x in features.items()}
        mask = {name: each[u] for name, each in present.items()}
        logits.append(stream.step(utterance, speaker[u], present=mask))
    logits = torch.cat(logits)
    expected = model(features, speaker, torch.tensor([0, 110]), present).detach()
    difference = (logits - expected).abs().amax(1) / expected.abs().amax(1)
    assert difference.max() <= 1e-5


def test_a_window_bounds_the_state() -> None:
    windowed, full = small_model(past=20).stream(), small_model().stream()
    sizes = []
    for _ in range(100):
        step = small_step()
        for stream in (windowed, full):
            stream.step(**step)
        sizes.append(windowed.state_dict()["graph.nodes.text"].size(2))
    assert sizes[0] == LEAST_CAPACITY
    assert set(sizes[20:]) == {20}
    assert 100 <= full.state_dict()["graph.nodes.text"].size(2) <= 200


def test_conversations_do_not_depend_on_each_other() -> None:
    """Nor does one that has ended hold up another."""
    model = small_model()
    together, alone = model.stream(3), model.stream()
    for number in range(5):
        step = small_step(3)
        conversation = torch.tensor([2, 0, 1])[: 3 if number < 2 else 1]
        size = len(conversation)
        first = {name: x[:size] for name, x in step["features"].items()}
        logits = together.step(first, step["speaker"][:size], conversation)
        own = {name: x[:1] for name, x in step["features"].items()}
        assert_equal(logits[:1], alone.step(own, step["speaker"][:1]), rtol=1e-11)


def test_speakers_may_be_any_numbers() -> None:
    model = small_model()
    streams = model.stream(), model.stream()
    for one, other in [(0, 2**62), (1, 7), (0, 2**62), (2, 0), (1, 7)]:
        step = small_step() | {"speaker": torch.tensor([one])}
        logits = streams[0].step(**step)
        assert torch.equal(streams[1].step(**step | {"speaker": torch.tensor([other])}), logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = small_model(past=4).float()
    stream = model.stream()
    for _ in range(12):
        step = small_step()
        step["features"] = {name: x.float() for name, x in step["features"].items()}
        with torch.autocast("cpu", dtype=dtype):
            assert stream.step(**step).isfinite().all()


def test_a_model_without_speakers_needs_none() -> None:
    model = small_model(speaker_weights={"text": 0, "audio": 0}, context=["text"])
    logits = model.stream().step(small_step()["features"])
    assert logits.shape == (1, 3)
    assert not logits.requires_grad


class Shifted(UtteranceEncoder):
    def forward(self, *inputs: object) -> torch.Tensor:
        return super().forward(*inputs) + 1


class Halved(MMDFN):
    def forward(self, *inputs: object, **named: object) -> torch.Tensor:
        return super().forward(*inputs, **named) / 2


def test_another_forward_is_not_streamed() -> None:
    model = MMDFN({"text": 5}, 2, num_layers=1, causal=True)
    encoder = Shifted({"text": 5}, bidirectional=False)
    with pytest.raises(TypeError, match="encoder must have UtteranceEncoder's own forward to str"):
        Stream(encoder, model.graph, model.fusion, model.head)
    for use in (Halved.stream, StreamingStep):
        with pytest.raises(TypeError, match="own forward to stream, but Halved has another, which"):
            use(Halved({"text": 5}, 2, num_layers=1, causal=True))


@pytest.mark.parametrize("part", ["model", "encoder", "graph", "contexts", "speaker_encoder"])
@pytest.mark.parametrize("how", ["hook", "pre-hook", "forward"])
def test_what_a_stream_would_not_run_is_refused(part: str, how: str) -> None:
    model = MMDFN({"text": 5}, 2, num_layers=1, causal=True, context=["text"])
    inner = {"contexts": model.encoder.contexts["text"], "model": model, "graph": model.graph}
    module = inner.get(part, model.encoder.speaker_encoder)
    if part == "encoder":
        module = model.encoder
    if how == "hook":
        module.register_forward_hook(lambda *given: given[-1])
    elif how == "pre-hook":
        module.register_forward_pre_hook(lambda _, given: given)
    else:
        module.forward = lambda *given: given
    expected = "own forward to stream, but" if how == "forward" else "no forward hooks to stream"
    with pytest.raises(TypeError, match=expected):
        model.stream()


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="causal must be True for a model to stream, but got F"):
        small_model(causal=False).stream()
    with pytest.raises(ValueError, match="num_conversations must be at least 1, but got 0"):
        small_model().stream(0)
    with pytest.raises(TypeError, match="num_conversations must be an integer, but got 1.5"):
        small_model().stream(1.5)


BAD_STEPS = {
    "features must be those of": {"features": {"text": torch.zeros(2, 5).double()}},
    r"features\['text'\] must have shape \[2, 5\], but got \[2, 4\]": {
        "features": {name: torch.zeros(2, 4).double() for name in ("text", "audio")}
    },
    r"features\['text'\] must be finite where present, but has NaN": {
        "features": {name: torch.full((2, 5), torch.nan).double() for name in ("text", "audio")}
    },
    "speaker must be given for the speaker encoder, but got None": {"speaker": None},
    r"speaker must have shape \[2\], but got \[1\]": {"speaker": torch.tensor([0])},
    "speaker must not be negative, but got -1": {"speaker": torch.tensor([0, -1])},
    r"conversation must be in \[0, 2\), but got 2": {"conversation": torch.tensor([0, 2])},
    r"conversation must name at least one, and each once, but got \[1, 1\]": {
        "conversation": torch.tensor([1, 1])
    },
    r"conversation must name at least one, and each once, but got \[\]": {
        "conversation": torch.empty(0, dtype=torch.int64)
    },
    r"present must be given by name, .* but got Tensor": {
        "present": torch.ones(2, 2, dtype=torch.bool)
    },
    r"present\['text'\] must have shape \[2\], but got \[1\]": {
        "present": {"text": torch.ones(1, dtype=torch.bool)}
    },
    r"present must name some of .* but got \['face'\]": {
        "present": {"face": torch.ones(2, dtype=torch.bool)}
    },
}


@pytest.mark.parametrize("message", BAD_STEPS)
def test_bad_steps_leave_everything_as_it_was(message: str) -> None:
    stream = small_model(context=["text"]).stream(2)
    stream.step(**small_step(2))
    before = stream.state_dict()
    with pytest.raises((TypeError, ValueError), match=message):
        stream.step(**small_step(2) | BAD_STEPS[message])
    after = stream.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("dtype", "value", "other"),
    [(torch.float32, 1e39, torch.float64), (torch.float16, 7e4, torch.float32)],
)
def test_features_beyond_the_range_of_the_weights_are_refused(
    dtype: torch.dtype, value: float, other: torch.dtype
) -> None:
    model = small_model(context=["text"]).to(dtype)
    stream, step = model.stream(), small_step()
    large = {"text": torch.full((1, 5), value, dtype=other), "audio": torch.ones(1, 5)}
    with pytest.raises(ValueError, match=r"features\['text'\] must be in the range of the weights"):
        stream.step(large, step["speaker"])
    absent = {"text": torch.tensor([False])}
    assert stream.step(large, step["speaker"], present=absent).isfinite().all()
    model.standardize.fit(
        Conversation({n: x.repeat(2, 1) for n, x in large.items()}, torch.zeros(2).long())
    )
    assert stream.step(large, step["speaker"]).isfinite().all()  # which is clipped


def test_a_step_that_fails_leaves_everything_as_it_was() -> None:
    model = small_model(context=["text"])
    stream = model.stream()
    stream.step(**small_step())
    before = stream.state_dict()

    def fail(*_: object) -> None:
        raise MemoryError

    handle = model.head.register_forward_pre_hook(fail)
    with pytest.raises(MemoryError):
        stream.step(**small_step())
    after = stream.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    handle.remove()
    assert stream.step(**small_step()).isfinite().all()


@pytest.mark.parametrize("made", [False, True])
def test_steps_in_inference_mode_and_others_alternate(made: bool) -> None:
    model = small_model(context=["text"], past=2)
    expected = model.stream()
    with torch.inference_mode(made):
        stream = model.stream()
    for number in range(6):
        step = small_step()
        with torch.inference_mode(number % 2 == made):
            step["features"] = {name: x + 0 for name, x in step["features"].items()}
            logits = stream.step(**step)
            if number == 3:
                stream.load_state_dict(stream.state_dict())
        assert torch.equal(logits, expected.step(**step))
        assert not logits.is_inference()


def test_bad_states_leave_everything_as_it_was() -> None:
    model = small_model(context=["text"], past=20)
    stream = model.stream(2)
    for _ in range(3):
        stream.step(**small_step(2))
    good = stream.state_dict()

    def refuse(message: str, state: object) -> None:
        fresh: Stream = model.stream(2)
        before = fresh.state_dict()
        with pytest.raises((TypeError, ValueError), match=message):
            fresh.load_state_dict(state)
        assert all(torch.equal(before[name], value) for name, value in fresh.state_dict().items())

    refuse("state must have", {})
    refuse("state must have", good | {"more": torch.zeros(1)})
    refuse("state must be a mapping", None)
    refuse("must be of dtype", good | {"graph.position": good["graph.position"].int()})
    refuse("must be a tensor", good | {"graph.position": [3, 3]})
    refuse("must have shape", good | {"graph.unit.text": good["graph.unit.text"][..., :2]})
    refuse("must have shape", good | {"graph.unit.audio": good["graph.unit.audio"][:, :5]})
    refuse("must have shape", good | {"speakers.known": good["speakers.known"].repeat(1, 3)})
    refuse("must have shape", small_model(context=["text"], past=20).stream(3).state_dict())
    refuse("place for each of 20 utterances", good | {"graph.position": torch.tensor([3, 99])})
    refuse("place for each of", good | {"graph.position": torch.tensor([3, -1])})


def test_the_state_is_a_copy() -> None:
    model = small_model()
    stream = model.stream()
    stream.step(**small_step())
    state = stream.state_dict()
    kept = {name: value.clone() for name, value in state.items()}
    stream.step(**small_step())
    assert all(torch.equal(state[name], kept[name]) for name in kept)
    other = model.stream()
    other.load_state_dict(state)
    other.step(**small_step())
    assert all(torch.equal(state[name], kept[name]) for name in kept)


def test_a_new_stream_has_no_speakers() -> None:
    known = small_model().stream(3).state_dict()["speakers.known"]
    assert torch.equal(known, torch.full((3, 1), -1))


def test_new_speakers_of_one_conversation_do_not_move_those_of_another() -> None:
    model = small_model()
    together, alone = model.stream(2), model.stream()
    for speaker in (0, 1, 2):
        step = small_step() | {"speaker": torch.tensor([speaker])}
        together.step(**step, conversation=torch.tensor([0]))
    for speaker in (2, 7, 0, 2, 7):
        step = small_step() | {"speaker": torch.tensor([speaker])}
        logits = together.step(**step, conversation=torch.tensor([1]))
        assert_equal(logits, alone.step(**step), rtol=1e-11)
    known = together.state_dict()["speakers.known"]
    assert known.tolist() == [[0, 1, 2, -1], [2, 7, 0, -1]]


def test_the_state_of_modalities_in_another_order() -> None:
    one = small_model(context=["text"], utterance_channels=3, past=3)
    config = one.config | {"in_channels": {"audio": 5, "text": 5}}
    other = MMDFN(**config).double()
    other.load_state_dict(one.state_dict())
    stream, continued = one.stream(), other.stream()
    mask = {"text": torch.tensor([False])}
    for present in (None, mask, None, None, None):
        step = small_step() | {"present": present}
        continued.load_state_dict(stream.state_dict())
        assert_equal(continued.step(**step), stream.step(**step), rtol=1e-11)


def test_features_of_another_dtype_are_cast_once_standardised() -> None:
    model = small_model().float()
    x = {name: 1.7e9 + torch.randn(4, 5).double() for name in ("text", "audio")}
    model.standardize.fit(Conversation(x, torch.zeros(4, dtype=torch.int64)))
    stream = model.stream()
    logits = [
        stream.step({name: each[[u]] for name, each in x.items()}, torch.zeros(1).long())
        for u in range(4)
    ]
    expected = model.eval()(x, torch.zeros(4).long(), torch.tensor([0, 4]))
    torch.testing.assert_close(torch.cat(logits), expected)
    assert logits[0].dtype == torch.float32
