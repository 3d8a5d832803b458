"""Missing modalities: dropped at random, and what absence means to the whole model."""

import copy
import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.loader import DataLoader

from graphfusion import MMDFN, BatchLayout, Conversation, focal_loss, modality_dropout
from graphfusion.testing import RaggedBatch
from graphfusion.testing.strategies import batches, models, seeds
from tests import oracle
from tests.asserts import assert_equal
from tests.conversations import members

JUNK = [math.nan, math.inf, -math.inf, torch.finfo(torch.float32).max, -1.0]

Masks = dict[str, Tensor]


def make_masks(size: int, names: str, seed: int) -> Masks:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(size, generator=generator) < 0.7 for name in names}


masks = st.builds(make_masks, st.integers(0, 9), st.sampled_from(["", "a", "ab", "abcd"]), seeds)


@given(masks, st.floats(0, 1))
def test_only_present_modalities_are_dropped(present: Masks, p: float) -> None:
    before = copy.deepcopy(present)
    left = modality_dropout(present, p)
    assert list(left) == list(present)
    for name, mask in left.items():
        assert mask.shape == present[name].shape
        assert not (mask & ~present[name]).any()
        if p in (0, 1):
            assert torch.equal(mask, present[name] & (p == 0))
        mask.logical_not_()
        assert torch.equal(present[name], before[name])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_every_modality_is_dropped_as_often_and_by_itself(p: float) -> None:
    everywhere = torch.ones(100_000, dtype=torch.bool)
    left = modality_dropout(dict.fromkeys("abc", everywhere), p)
    absent = ~torch.stack(list(left.values()), 1)
    both = (absent.unsqueeze(2) & absent.unsqueeze(1)).float().mean(0)
    expected = torch.full((3, 3), p**2).fill_diagonal_(p)
    torch.testing.assert_close(both, expected, rtol=0, atol=0.01)  # six deviations


def test_the_seed_decides() -> None:
    present = dict.fromkeys("ab", torch.ones(50, dtype=torch.bool))

    def dropped() -> Tensor:
        return torch.stack(list(modality_dropout(present, 0.5).values()))

    def draw(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return dropped()

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    torch.manual_seed(0)
    assert not torch.equal(dropped(), dropped())


ONES = torch.ones(2, dtype=torch.bool)


@pytest.mark.parametrize(
    ("present", "p", "error", "message"),
    [
        (ONES, 0.5, TypeError, "present must be given by name, .* but got Tensor"),
        ({"a": [True]}, 0.5, TypeError, r"present\[.a.\] must be a tensor, but got list"),
        ({"a": ONES.float()}, 0.5, TypeError, r"present\[.a.\] must be of dtype torch.bool"),
        ({"a": ONES[None]}, 0.5, ValueError, r"present\[.a.\] must have shape \[U\], but got"),
        ({"a": ONES, "b": ONES[:1]}, 0.5, ValueError, "present must have a value for each utter"),
        ({"a": ONES}, 1.5, ValueError, r"p must be finite and in \[0, 1\], but got"),
        ({"a": ONES}, -0.1, ValueError, r"p must be finite and in \[0, 1\], but got"),
        ({"a": ONES}, math.nan, ValueError, "p must be finite .* but got nan"),
        ({"a": ONES}, "0.5", TypeError, "p must be a number, but got '0.5'"),
        ({"a": ONES}, True, TypeError, "p must be a number, but got True"),
    ],
)
def test_bad_input(present: object, p: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        modality_dropout(present, p)


def fitted(model: MMDFN, batch: RaggedBatch) -> MMDFN:
    """The model in training, dropout and all, with the statistics of the batch."""
    model.standardize.fit(members(batch))
    return model.train()


def step(model: MMDFN, batch: RaggedBatch, *where: object) -> dict[str, Tensor]:
    """All that a training step computes: logits and gradients, those of the features too."""
    torch.manual_seed(0)
    features = {name: x.clone().requires_grad_() for name, x in batch.features.items()}
    logits = model(features, *where)
    inputs = dict(model.named_parameters()) | features
    gradients = torch.autograd.grad(logits.square().sum(), inputs.values(), allow_unused=True)
    found = {name: x for name, x in zip(inputs, gradients, strict=True) if x is not None}
    return {"logits": logits.detach()} | found


def assert_same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.isfinite().all(), name
        assert torch.equal(value, other[name]), name


@given(st.data(), batches(masked=True), st.sampled_from(JUNK))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_at_absent_nodes_change_no_bit(
    dtype: torch.dtype, data: st.DataObject, batch: RaggedBatch, value: float
) -> None:
    batch = batch.with_x(batch.x.to(dtype))
    junk = batch.with_x(batch.x.masked_fill(~batch.here.unsqueeze(-1), value))
    model = data.draw(models(batch.x.size(1), dropout=0.4)).to(dtype)
    expected = step(fitted(model, batch), batch, batch.layout)
    statistics = [each.clone() for each in model.standardize.buffers()]
    assert_same_bits(step(fitted(model, junk), junk, junk.layout), expected)
    assert all(map(torch.equal, model.standardize.buffers(), statistics))
    for m, name in enumerate(batch.features):
        assert not expected[name][~batch.here[:, m]].any()


@given(st.data(), batches(masked=False))
def test_all_present_is_no_mask_in_training_too(data: st.DataObject, batch: RaggedBatch) -> None:
    model = fitted(data.draw(models(batch.x.size(1), dropout=0.4)).double(), batch)
    expected = step(model, batch, batch.speaker, batch.ptr)
    everywhere = dict(zip(batch.features, batch.here.unbind(1), strict=True))
    for where in (
        (batch.speaker, batch.ptr, everywhere),
        (BatchLayout(batch.ptr, batch.speaker, everywhere),),
    ):
        assert_same_bits(step(model, batch, *where), expected)


def without(model: MMDFN, name: str) -> MMDFN:
    """The model of the other modalities, with the same weights."""
    config = model.config
    others = [other for other in config["in_channels"] if other != name]
    config |= {
        key: {n: config[key][n] for n in others} for key in ("in_channels", "speaker_weights")
    }
    for key in ("context", "speaker_normalized"):
        config[key] = [other for other in config[key] if other != name]
    small = MMDFN(**config)
    state = {key: value for key, value in model.state_dict().items() if key in small.state_dict()}
    small.double().load_state_dict(state)
    return small.eval()


@given(st.data(), batches(max_modalities=4))
def test_a_modality_that_is_never_present_does_not_matter(
    data: st.DataObject, batch: RaggedBatch
) -> None:
    size = batch.x.size(1)
    assume(size > 1)
    gone = data.draw(st.integers(0, size - 1))
    name = list(batch.features)[gone]
    present = dict(zip(batch.features, batch.here.unbind(1), strict=True))
    kept = {other: mask for other, mask in present.items() if other != name}
    present[name] = torch.zeros_like(present[name])
    model = fitted(data.draw(models(size, dropout=0.4)).double(), batch).eval()
    others = {other: x for other, x in batch.features.items() if other != name}
    expected = without(model, name)(others, batch.speaker, batch.ptr, kept)
    assert_equal(model(batch.features, batch.speaker, batch.ptr, present), expected)


@given(st.data(), batches(masked=True))
def test_absent_nodes_are_imputed_from_those_nearby(
    data: st.DataObject, batch: RaggedBatch
) -> None:
    """Before the head, and nowhere else; where there are none, there are zeros."""
    model = data.draw(models(batch.x.size(1), dropout=0.4)).double()
    graph, fused, taken = model.graph, [], []
    with (
        model.fusion.register_forward_hook(lambda *call: fused.append(call[-1])),
        model.head.register_forward_pre_hook(lambda _, inputs: taken.append(inputs)),
    ):
        logits = model(batch.features, batch.layout)
    filled = oracle.fill(fused[0], batch.ptr, batch.here, graph.past, graph.future)
    imputed, features = taken[0]
    assert_equal(imputed, filled)
    for name, mask in zip(batch.features, batch.here.unbind(1), strict=True):
        assert not features[name][~mask].any()
    assert_equal(logits, model.head(filled, features))


@given(st.data(), batches(masked=True))
def test_an_utterance_without_modalities_does_not_change_others(
    data: st.DataObject, batch: RaggedBatch
) -> None:
    """But that those around it are farther apart, which counts where something is filled in."""
    model = data.draw(models(batch.x.size(1), dropout=0.4)).double()
    model.graph.past = model.graph.future = None  # a window counts it
    some, complete = batch.here.any(1), batch.here.all(1)
    logits = model(batch.features, batch.layout)
    lengths = [int(each.sum()) for each in some.split(batch.ptr.diff().tolist())]
    assume(any(lengths))
    rest = batch.take(some.nonzero().squeeze(1), [length for length in lengths if length])
    expected = model(rest.features, rest.layout)
    assert_equal(logits[complete], expected[rest.here.all(1)])


def conversation(size: int, camera_fails: slice = slice(0)) -> Conversation:
    """Two speakers, whose emotions every modality shows while it is there."""
    y = torch.randint(0, 3, (size,))
    features = {name: torch.randn(size, 6) for name in ("text", "audio", "visual")}
    for x in features.values():
        x[:, :3] += 2 * torch.nn.functional.one_hot(y, 3)
    present = {"visual": torch.ones(size, dtype=torch.bool)}
    present["visual"][camera_fails] = False
    features["visual"][camera_fails] = math.nan
    return Conversation(features, torch.arange(size) % 2, y, present)


# With modality dropout there is more to impute.
@pytest.mark.parametrize("p", [pytest.param(0.0, marks=pytest.mark.slow), 0.3])
def test_a_camera_that_fails_for_ten_utterances(p: float, num_steps: int) -> None:
    conversations = [conversation(12), conversation(25, slice(8, 18)), conversation(1)]
    sizes = {"text": 6, "audio": 6, "visual": 6}
    model = MMDFN.from_preset("iemocap", sizes, 3, channels=16, hidden_channels=8, num_layers=2)
    model.standardize.fit(conversations)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(max(40, num_steps)):
        for batch in DataLoader(conversations, batch_size=3):
            present = modality_dropout(batch.present, p)
            logits = model(batch.features, batch.speaker, batch.ptr, present)
            loss = focal_loss(logits, batch.y)
            optimizer.zero_grad()
            loss.backward()
            assert all(each.grad.isfinite().all() for each in model.parameters())
            optimizer.step()
            losses.append(float(loss.detach()))
    assert all(map(math.isfinite, losses))
    # The labels are drawn at random, so imputed modalities are independent of them.
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    guesses = [int(max(row, key=row.__getitem__)) for row in model.predict(conversations[1])]
    hits = torch.tensor(guesses) == conversations[1].y
    assert hits[8:18].float().mean() > 0.7


def test_a_full_mask_of_some_modalities_is_none() -> None:
    model = MMDFN({"text": 5, "audio": 4}, 3, num_layers=2).eval()
    features = {"text": torch.randn(3, 5), "audio": torch.randn(3, 4)}
    given = features, torch.tensor([0, 1, 0]), torch.tensor([0, 3])
    mask = {"audio": torch.ones(3, dtype=torch.bool)}
    assert torch.equal(model(*given, mask), model(*given))


@pytest.mark.parametrize("absent", [["text"], ["text", "audio"]])
def test_every_parameter_gets_a_gradient_of_a_batch_without_a_modality(absent: list[str]) -> None:
    """Otherwise, DistributedDataParallel would wait for it in vain."""
    model = MMDFN({"text": 5, "audio": 4}, 3, num_layers=2, context=["text"])
    features = {"text": torch.randn(3, 5), "audio": torch.randn(3, 4)}
    masks = dict.fromkeys(absent, torch.zeros(3, dtype=torch.bool))
    model(features, torch.tensor([0, 1, 0]), torch.tensor([0, 3]), masks).sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
    for weight in model.encoder.contexts["text"].parameters():
        assert not weight.grad.any()
