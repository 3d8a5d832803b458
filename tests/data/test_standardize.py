import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import Conversation, Standardize
from graphfusion.testing.strategies import RaggedBatch, batches, seeds
from tests.asserts import assert_equal
from tests.conversations import members


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
    for name, statistics in one.state_dict().items():
        assert torch.equal(statistics, other.state_dict()[name])
        assert statistics.isfinite().all()


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
    mask = {"b": torch.zeros(50, dtype=torch.bool)}
    features = {"a": x, "b": torch.zeros(50, 2).double()}
    one = Conversation(features, torch.zeros(50, dtype=torch.int64), present=mask)
    standardize = Standardize({"a": 4, "b": 2}).double().fit([one])
    out = standardize(one.features)["a"]
    assert_equal(out.std(0, correction=0), torch.tensor([1.0, 1, 1, 0]).double())
    # What never varies, or is never present, keeps its scale.
    assert standardize.statistics["a"].scale[3] == 1
    assert torch.equal(standardize.statistics["b"].scale, torch.ones(2).double())


def test_one_conversation_and_any_order_of_modalities() -> None:
    x = {"a": torch.randn(5, 3), "b": torch.randn(5, 2)}
    mask = {"b": torch.tensor([False] * 4 + [True])}
    one = Conversation(x, torch.zeros(5, dtype=torch.int64), present=mask)
    standardize = Standardize({"b": 2, "a": 3})
    expected = copy.deepcopy(standardize.fit([one]).state_dict())
    assert_equal_states(standardize.fit(one).state_dict(), expected)
    other = Standardize({"a": 3, "b": 2})
    other.load_state_dict(expected)
    assert_equal_states(other.fit(one).state_dict(), expected)
    assert_equal(standardize.statistics["b"].mean, x["b"][4].double())
    assert_equal(standardize.statistics["a"].mean, x["a"].double().mean(0))


def assert_equal_states(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_statistics_keep_their_digits_whatever_the_dtype() -> None:
    """Seconds since 1970 in float64: in float32, they would all be the same."""
    x = 1.7e9 + torch.arange(100, dtype=torch.float64).unsqueeze(1)
    one = Conversation({"time": x}, torch.zeros(100, dtype=torch.int64))
    standardize = Standardize({"time": 1}).fit(one)
    expected = (x - x.mean()) / x.std(correction=0)
    assert_equal(standardize({"time": x})["time"], expected)
    for other in (standardize.float(), standardize.half(), copy.deepcopy(standardize).to("cpu")):
        assert_equal(other({"time": x})["time"], expected)
    again = Standardize({"time": 1})
    again.load_state_dict(standardize.state_dict())
    assert_equal(again({"time": x})["time"], expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_standardised_in_float32(dtype: torch.dtype) -> None:
    x = torch.randn(50, 3, dtype=dtype)
    standardize = Standardize({"a": 3}).fit(Conversation({"a": x}, torch.zeros(50).long()))
    out = standardize({"a": x})["a"]
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.std(0, correction=0), torch.ones(3))


def test_a_channel_that_varied_only_by_rounding_is_clipped() -> None:
    x = 1 + 1e-6 * torch.randn(50, 1)
    standardize = Standardize({"a": 1}).fit(Conversation({"a": x}, torch.zeros(50).long()))
    far = standardize({"a": torch.tensor([[8.0], [-8.0], [torch.nan]])})["a"]
    assert far[:2].flatten().tolist() == [200, -200]
    assert far[2].isnan()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), seeds)
def test_parts_have_the_statistics_of_the_whole(lengths: list[int], seed: int) -> None:
    x = 3 + torch.randn(sum(lengths), 2, generator=torch.Generator().manual_seed(seed)).double()
    parts = [Conversation({"a": each}, torch.zeros(len(each)).long()) for each in x.split(lengths)]
    standardize = Standardize({"a": 2}).fit(each for each in parts)
    assert_equal(standardize.statistics["a"].mean, x.mean(0))
    if len(x) > 1:
        assert_equal(standardize.statistics["a"].scale, x.std(0, correction=0))


def test_recipe_of_to_empty() -> None:
    with torch.device("meta"):
        standardize = Standardize({"a": 2})
    standardize.to_empty(device="cpu").reset_parameters()
    x = torch.randn(3, 2)
    assert torch.equal(standardize({"a": x})["a"], x)


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


def test_tiny_deviations_stay_finite() -> None:
    tiny = torch.finfo(torch.float32).tiny
    one = Conversation({"text": torch.tensor([[0.0], [tiny]])}, torch.tensor([0, 0]))
    standardize = Standardize({"text": 1}).fit([one])
    x = one.features["text"].clone().requires_grad_()
    out = standardize({"text": x})["text"]
    out.sum().backward()
    assert out.isfinite().all()
    assert x.grad.isfinite().all()
