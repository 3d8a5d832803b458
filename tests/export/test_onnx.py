"""Exported models compute the same, in PyTorch and in ONNX Runtime, for sizes not shown to them."""

import io
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from graphfusion import MMDFN, Conversation
from graphfusion._utils import extras
from graphfusion.export import PaddedBatch, PaddedModel, StreamingStep, to_onnx
from tests._versions import needs_torch

SIZES = {"text": 5, "audio": 4}
LENGTHS = [(7, 4), (3,), (1,), (1, 1), (12, 20, 5), (6, 6, 6), (2, 2, 2, 31)]
pytestmark = [
    # A loop whose body PyTorch reads: minutes on a busy machine, whatever the model's size.
    pytest.mark.slow,
    needs_torch("2.13", "a loop in what is exported"),
    # Tracing PyTorch's own code warns.
    pytest.mark.filterwarnings("ignore"),
]


def model_of(**kwargs: object) -> MMDFN:
    small = {"channels": 6, "hidden_channels": 4, "num_layers": 1, "context": ("text",)}
    model = MMDFN(SIZES, 3, **(small | kwargs))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return model.eval()


def session(module: torch.nn.Module, file: Path) -> onnxruntime.InferenceSession:
    to_onnx(module, file)
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, names: list[str], *inputs: object) -> list[Tensor]:
    arrays = dict(zip(names, (each.detach().numpy() for each in tree_leaves(inputs)), strict=True))
    taken = {each.name for each in session.get_inputs()}  # it drops what is used by nothing
    out: list[np.ndarray] = session.run(None, {name: arrays[name] for name in taken})
    return [torch.from_numpy(each) for each in out]


def batch(lengths: tuple[int, ...]) -> PaddedBatch:
    return PaddedBatch.of(
        Conversation(
            {name: torch.randn(n, size) for name, size in SIZES.items()},
            torch.randint(0, 3, (n,)),
            present={name: torch.rand(n) < 0.7 for name in SIZES},
        )
        for n in lengths
    )


@pytest.mark.parametrize(
    "kwargs",
    [
        pytest.param({}, id="as published", marks=pytest.mark.nightly),
        pytest.param({"past": 2, "future": 1}, id="window"),
        pytest.param(
            {"speaker_normalized": ["audio"], "utterance_channels": 5},
            id="ours",
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_a_model_of_padded_batches(
    kwargs: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    padded = PaddedModel(model_of(**kwargs))
    exported = padded.export()
    monkeypatch.setattr(padded, "export", lambda: exported)  # to ONNX, too: it takes long
    file = io.BytesIO()
    torch.export.save(exported, file)
    file.seek(0)
    program = torch.export.load(file).module()
    onnx = session(padded, tmp_path / "model.onnx")
    for lengths in LENGTHS:
        inputs = batch(lengths)
        expected = padded(*inputs).detach()
        torch.testing.assert_close(program(*inputs), expected, rtol=1e-4, atol=1e-4)
        (logits,) = run(onnx, padded.input_names, *inputs)
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("past", [pytest.param(None, marks=pytest.mark.nightly), 3])
def test_a_step_of_a_stream(
    past: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = StreamingStep(model_of(causal=True, past=past))
    exported = step.export()
    monkeypatch.setattr(step, "export", lambda: exported)
    program, onnx = exported.module(), session(step, tmp_path / "step.onnx")
    for size in (2, 1):
        state = first = step.start(size, 2)
        for _ in range(5):
            features = {name: torch.randn(size, d) for name, d in SIZES.items()}
            present = {name: torch.rand(size) < 0.7 for name in SIZES}
            inputs = features, torch.randint(0, 2, (size,)), present
            logits, after = step(*inputs, state)
            out, _ = program(*inputs, state)
            torch.testing.assert_close(out, logits.detach(), rtol=1e-4, atol=1e-4)
            out, *others = run(onnx, step.input_names, *inputs, state)
            torch.testing.assert_close(out, logits.detach(), rtol=1e-4, atol=1e-4)
            for other, value in zip(others, after.values(), strict=True):
                torch.testing.assert_close(other, value.detach(), rtol=1e-4, atol=1e-4)
            state = after
        assert state.keys() == first.keys()


def test_names_a_missing_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(ImportError, match=r'pip install "graphfusion\[onnx\]"'):
        to_onnx(PaddedModel(model_of()), tmp_path / "model.onnx")
