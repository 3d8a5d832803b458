import pytest
import torch
from hypothesis import given

from graphfusion import Conversation, Standardize
from graphfusion.testing.strategies import RaggedBatch, batches
from tests.asserts import assert_equal


def members(batch: RaggedBatch) -> list[Conversation]:
    return [
        Conversation(each.features, each.speaker, present=each.present)
        for each in batch.conversations()
    ]


@given(batches())
def test_present_features_get_mean_zero_and_deviation_one(batch: RaggedBatch) -> None:
    standardize = Standardize(dict.fromkeys(batch.features, 5)).double()
    out = standardize.fit(members(batch))(batch.features)
    for m, name in enumerate(batch.features):
        x, raw = out[name][batch.here[:, m]], batch.features[name][batch.here[:, m]]
        if len(x):
            assert_equal(x.mean(0), torch.zeros(5, dtype=torch.float64))
            varies = (raw.amax(0) > raw.amin(0)).double()
            assert_equal(x.std(0, correction=0), varies)


@given(batches(masked=True))
def test_absent_features_are_not_counted(batch: RaggedBatch) -> None:
    junk = batch.with_x(batch.x.masked_fill(~batch.here.unsqueeze(-1), 1e9))
    one, other = (
        Standardize(dict.fromkeys(batch.features, 5)).fit(members(each)) for each in (batch, junk)
    )
    assert torch.equal(one.mean, other.mean)
    assert torch.equal(one.scale, other.scale)
    assert one.scale.isfinite().all()


def test_large_offsets_and_constants() -> None:
    x = 1e6 + torch.randn(1000, 3)
    x[:, 2] = 0.1
    one = Conversation({"a.b": x}, torch.zeros(1000, dtype=torch.int64))
    standardize = Standardize({"a.b": 3})
    assert torch.equal(standardize({"a.b": x})["a.b"], x)
    out = standardize.fit([one])({"a.b": x})["a.b"]
    assert out[:, :2].std(0).allclose(torch.ones(2), atol=0.1)
    assert out[:, 2].abs().max() < 1e-6
    fresh = Standardize({"a.b": 3})
    fresh.load_state_dict(standardize.state_dict())
    assert torch.equal(fresh({"a.b": x})["a.b"], out)
    fresh.reset_parameters()
    assert torch.equal(fresh({"a.b": x})["a.b"], x)
    assert repr(fresh) == "Standardize({'a.b': 3})"


def test_features_of_any_scale_beside_each_other() -> None:
    x = torch.randn(50, 3, dtype=torch.float64) * torch.tensor([1e-12, 1, 1e12])
    x = torch.cat([x, torch.full((50, 1), 1e6 / 3)], 1)
    mask = torch.tensor([[True, False]] * 50)
    features = {"a": x, "b": torch.zeros(50, 2).double()}
    one = Conversation(features, torch.zeros(50, dtype=torch.int64), present=mask)
    standardize = Standardize({"a": 4, "b": 2}).double().fit([one])
    out = standardize(one.features)["a"]
    assert_equal(out.std(0, correction=0), torch.tensor([1.0, 1, 1, 0]).double())
    # What never varies, or is never present, keeps its scale.
    assert torch.equal(standardize.scale[3:], torch.ones(3).double())


def test_one_conversation_and_any_order_of_modalities() -> None:
    x = {"a": torch.randn(5, 3), "b": torch.randn(5, 2)}
    mask = torch.tensor([[True, False]] * 4 + [[True, True]])
    one = Conversation(x, torch.zeros(5, dtype=torch.int64), present=mask)
    standardize = Standardize({"b": 2, "a": 3})
    expected = standardize.fit([one]).mean.clone()
    assert torch.equal(standardize.fit(one).mean, expected)
    torch.testing.assert_close(expected, torch.cat([x["b"][4], x["a"].mean(0)]))


def test_bad_input() -> None:
    one = Conversation({"a": torch.ones(2, 3)}, torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match="in_channels must name at least one modality"):
        Standardize({})
    with pytest.raises(ValueError, match=r"in_channels\['a'\] must be at least 1, but got 0"):
        Standardize({"a": 0})
    with pytest.raises(ValueError, match=r"^conversations must not be empty\.$"):
        Standardize({"a": 3}).fit([])
    with pytest.raises(ValueError, match=r"features must be those of \['b'\], but got \['a'\]"):
        Standardize({"b": 3}).fit([one])
    with pytest.raises(ValueError, match=r"features must be those of \['b'\], but got \['a'\]"):
        Standardize({"b": 3})(one.features)
    with pytest.raises(TypeError, match="in_channels must map names to sizes, but got list"):
        Standardize([3])
    with pytest.raises(TypeError, match="features must map names to tensors, but got Tensor"):
        Standardize({"a": 3})(torch.ones(2, 3))
    with pytest.raises(TypeError, match="conversations must be of Conversation, but got dict"):
        Standardize({"a": 3}).fit([one.features])
    for use in (lambda it: it.fit([one]), lambda it: it(one.features)):
        with pytest.raises(ValueError, match=r"^features\['a'\] must have shape \[U, 4\], but got"):
            use(Standardize({"a": 4}))


def test_what_hardly_varies_is_left_as_it_is() -> None:
    tiny = torch.finfo(torch.float32).tiny
    talk = Conversation({"text": torch.tensor([[0.0], [tiny]])}, torch.tensor([0, 0]))
    standardize = Standardize({"text": 1}).fit([talk])
    x = talk.features["text"].clone().requires_grad_()
    out = standardize({"text": x})["text"]
    out.sum().backward()
    assert out.isfinite().all()
    assert x.grad.isfinite().all()
