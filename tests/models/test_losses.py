import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import focal_loss, task_loss
from graphfusion.models.losses import class_weights
from graphfusion.testing.strategies import seeds


@given(seeds, st.integers(1, 6), st.integers(1, 5), st.floats(0, 3), st.booleans())
def test_is_the_formula(seed: int, size: int, classes: int, gamma: float, weighted: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, classes, dtype=torch.float64, generator=generator)
    target = torch.randint(0, classes, (size,), generator=generator)
    weight = torch.rand(classes, dtype=torch.float64, generator=generator) if weighted else None
    p = logits.softmax(-1)[torch.arange(size), target]
    expected = -((1 - p) ** gamma) * p.log()
    if weight is not None:
        expected = expected * weight[target]
    loss = focal_loss(logits, target, gamma, weight)
    torch.testing.assert_close(loss, expected.mean(), rtol=1e-9, atol=1e-12)


@given(seeds)
def test_without_focus_is_cross_entropy(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits, target = torch.randn(4, 3, generator=generator), torch.tensor([0, 1, 2, 1])
    expected = torch.nn.functional.cross_entropy(logits, target)
    torch.testing.assert_close(focal_loss(logits, target, gamma=0), expected)


def test_the_default_exponent_is_a_half() -> None:
    logits, target = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    assert torch.equal(focal_loss(logits, target), focal_loss(logits, target, gamma=0.5))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_sure_predictions_stay_finite(gamma: float, dtype: torch.dtype) -> None:
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4], [0, 0], [15, -15]], dtype=dtype)
    logits.requires_grad_()
    loss = focal_loss(logits, torch.tensor([0, 0, 0, 0]), gamma)
    loss.backward()
    assert loss.isfinite()
    assert loss.dtype == torch.promote_types(dtype, torch.float32)
    assert logits.grad.isfinite().all()


def test_gradcheck() -> None:
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: focal_loss(x, torch.tensor([0, 3, 1])), (logits,))


def test_bad_input() -> None:
    logits, target = torch.randn(2, 3), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="gamma must be finite and at least 0, but got -1"):
        focal_loss(logits, target, gamma=-1)
    with pytest.raises(ValueError, match=r"^logits must have shape \[U, K\], but got \[3\]"):
        focal_loss(logits[0], target)
    with pytest.raises(ValueError, match=r"target must have shape \[2\], but got \[3\]"):
        focal_loss(logits, torch.tensor([0, 1, 2]))
    with pytest.raises(TypeError, match="target must be of dtype torch.int64"):
        focal_loss(logits, target.float())
    with pytest.raises(ValueError, match=r"weight must have shape \[3\], but got \[2\]"):
        focal_loss(logits, target, weight=torch.ones(2))
    for bad in (-1, 3):
        with pytest.raises(ValueError, match=rf"target must be in \[0, 3\), but got {bad}"):
            focal_loss(logits, torch.tensor([0, bad]))
    with pytest.raises(ValueError, match=r"target must be in \[0, 3\), but got -100"):
        focal_loss(logits, torch.tensor([0, -100]), ignore_index=-1)
    with pytest.raises(ValueError, match=r"logits must not be empty, but got shape \[0, 3\]"):
        focal_loss(logits[:0], target[:0])


def test_a_task_is_known() -> None:
    with pytest.raises(ValueError, match=r"^task must be one of \['classification', .* got 'both'"):
        task_loss(torch.zeros(2, 3), torch.tensor([0, 1]), task="both")
    with pytest.raises(TypeError, match="y must be a tensor, but got list"):
        task_loss(torch.zeros(2, 1), [0.0, 1.0], task="regression")  # type: ignore[arg-type]


@given(seeds, st.integers(1, 8), st.integers(1, 4), st.booleans(), st.sampled_from([-100, -1, 7]))
def test_utterances_without_a_label_are_ignored(
    seed: int, size: int, classes: int, weighted: bool, ignore_index: int
) -> None:
    """Value and gradients are those of the labelled ones alone, whatever the others' logits are."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, classes, dtype=torch.float64, generator=generator)
    target = torch.randint(0, classes, (size,), generator=generator)
    weight = torch.rand(classes, dtype=torch.float64, generator=generator) if weighted else None
    labelled = torch.rand(size, generator=generator) < 0.5
    alone = logits[labelled].requires_grad_()
    logits[~labelled] = torch.nan
    logits.requires_grad_()
    loss = focal_loss(
        logits, target.where(labelled, ignore_index), weight=weight, ignore_index=ignore_index
    )
    loss.backward()
    assert (logits.grad[~labelled] == 0).all()
    if labelled.any():
        expected = focal_loss(alone, target[labelled], weight=weight)
        expected.backward()
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(logits.grad[labelled], alone.grad)
    else:
        assert loss == 0


@given(seeds, st.integers(0, 20), st.floats(0, 2))
def test_weights_are_powers_of_one_over_the_frequency(seed: int, size: int, power: float) -> None:
    target = torch.randint(-1, 3, (size,), generator=torch.Generator().manual_seed(seed))
    counts = [max(1, target.tolist().count(k)) for k in range(4)]
    total = sum(label >= 0 for label in target.tolist())
    weights = class_weights(target.where(target >= 0, -100), 4, power)
    assert weights.tolist() == pytest.approx([(total / count) ** power for count in counts])


def test_weights_of_other_labels() -> None:
    with pytest.raises(ValueError, match=r"target must be in \[0, 2\), but got -1"):
        class_weights(torch.tensor([0, 1, -1]), 2)


def test_class_weights_are_those_of_the_inverse_frequency_by_default() -> None:
    target = torch.tensor([0, 0, 1])
    assert torch.equal(class_weights(target, 2), class_weights(target, 2, power=1.0))
    assert not torch.equal(class_weights(target, 2), class_weights(target, 2, power=2.0))


def test_bad_input_of_class_weights() -> None:
    target = torch.tensor([0, 1])
    with pytest.raises(ValueError, match=r"^target must have shape \[U\], but got \[2, 1\]"):
        class_weights(target.unsqueeze(1), 2)
    with pytest.raises(TypeError, match=r"^target must be .*int64"):
        class_weights(target.float(), 2)
    with pytest.raises(ValueError, match="^num_classes must be"):
        class_weights(target, 0)
    with pytest.raises(TypeError, match="^power must be"):
        class_weights(target, 2, power="all")
    with pytest.raises(ValueError, match=r"^target must be in \[0, 2\)"):
        class_weights(target + 1, 2)
