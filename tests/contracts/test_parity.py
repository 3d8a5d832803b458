"""The numbers of the authors' code, in float64.

Runs over `tests/golden` and over the folder in the environment variable GRAPHFUSION_GOLDEN, where
any further case of the same form may lie; without it, over `../shared/golden` beside the checkout,
which has a case of the whole model that is too large to be kept here.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from graphfusion import (
    MMDFN,
    BatchLayout,
    ConversationGraph,
    DynamicFusion,
    ModalityEmbedding,
    SpeakerEmbedding,
)

HERE = Path(__file__).parents[1]
FURTHER = Path(os.environ.get("GRAPHFUSION_GOLDEN", HERE.parents[1] / "shared" / "golden"))
# By name: a case in both folders runs once.
CASES = {path.name: path for folder in (HERE / "golden", FURTHER) for path in folder.glob("*.npz")}
FUSION_CASES = [path for name, path in sorted(CASES.items()) if not name.startswith("model_")]
MODEL_CASES = [path for name, path in sorted(CASES.items()) if name.startswith("model_")]

# The authors' modalities in the order in which their constructors, and so their weights, have them.
LETTERS = "avl"


class Case:
    """One file: its configuration, tensors and weights."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as file:
            self.arrays = {key: file[key] for key in file.files}
        self.config = json.loads(bytes(self.arrays.pop("config")))
        # Whatever the order of "modals": the authors' code always takes a, v, l.
        self.modals = "".join(each for each in LETTERS if f"input.{each}" in self.arrays)
        self.speaker = torch.from_numpy(self.arrays["speaker"])
        self.ptr = torch.from_numpy(np.concatenate([[0], np.cumsum(self.arrays["lengths"])]))

    def __getitem__(self, key: str) -> Tensor:
        return torch.from_numpy(self.arrays[key])

    def stripped(self, prefix: str) -> dict[str, Tensor]:
        keys = [key for key in self.arrays if key.startswith(prefix)]
        return {key.removeprefix(prefix): self[key] for key in keys}

    def inputs(self) -> Tensor:
        return torch.stack([self[f"input.{letter}"] for letter in self.modals], 1)


class PublishedFusion(torch.nn.Module):
    """The authors' graph module from our parts, with the embeddings that the case has."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        config = case.config
        weights = case.stripped("weight.")
        self.text = case.modals.find("l")
        self.speakers = self.modalities = None
        if config["speaker_embedding"] and self.text >= 0:
            self.speakers = SpeakerEmbedding(config["num_speakers"], config["dim"]).double()
            state = {"embedding.weight": weights["speaker_embeddings.weight"]}
            self.speakers.load_state_dict(state)
        if config["modality_embedding"]:
            self.modalities = ModalityEmbedding(len(case.modals), config["dim"]).double()
            rows = [LETTERS.index(letter) for letter in case.modals]
            state = {"embedding.weight": weights["modal_embeddings.weight"][rows]}
            self.modalities.load_state_dict(state)
        self.graph = ConversationGraph(cross_weight=config["cross_weight"])
        self.fusion = DynamicFusion.from_published(
            weights,
            alpha=config["alpha"],
            theta=config["lamda"],
            gated=config["dynamic"],
            concat=config["residual_concat"],
        )

    def forward(self, x: Tensor, speaker: Tensor, ptr: Tensor) -> Tensor:
        if self.speakers is not None:
            text = self.speakers(x[:, self.text], speaker)
            columns = list(x.unbind(1))
            columns[self.text] = text
            x = torch.stack(columns, 1)
        if self.modalities is not None:
            x = self.modalities(x)
        return self.fusion(x, self.graph(x, ptr)).flatten(1)

    def published_gradients(self, modals: str) -> dict[str, Tensor]:
        """Our parameters' gradients under the authors' names."""
        fusion = self.fusion
        named = {
            "graph_net.fcs.0.weight": fusion.lin.weight.grad,
            "graph_net.fcs.0.bias": fusion.lin.bias.grad,
        }
        for layer, gradient in enumerate(fusion.weight.grad):
            named[f"graph_net.convs.{layer}.weight"] = gradient
        if fusion.cell is not None:
            for name, parameter in fusion.cell.named_parameters():
                named[f"graph_net.rnn.{name}_l0"] = parameter.grad
        if self.speakers is not None:
            named["speaker_embeddings.weight"] = self.speakers.embedding.weight.grad
        if self.modalities is not None:
            gradient = self.modalities.embedding.weight.grad
            full = gradient.new_zeros(len(LETTERS), gradient.size(1))
            full[[LETTERS.index(letter) for letter in modals]] = gradient
            named["modal_embeddings.weight"] = full
        return named


def assert_close(ours: Tensor, theirs: Tensor, tolerance: float, what: str) -> None:
    assert ours.shape == theirs.shape, what
    assert ours.dtype == theirs.dtype == torch.float64, what
    error = float((ours - theirs).detach().abs().max())
    assert error <= tolerance, f"{what} differs by {error}"


def test_there_are_cases() -> None:
    assert len(FUSION_CASES) >= 7
    if "GRAPHFUSION_GOLDEN" in os.environ:
        assert list(FURTHER.glob("*.npz")), f"GRAPHFUSION_GOLDEN has no case: {FURTHER}"


@pytest.mark.parametrize("path", FUSION_CASES, ids=lambda path: path.stem)
def test_adjacency(path: Path) -> None:
    case = Case(path)
    dense = ConversationGraph(cross_weight=case.config["cross_weight"])(
        case.inputs(), BatchLayout(case.ptr)
    ).to_dense()
    size, num_modalities = len(case.speaker), len(case.modals)
    # Theirs is modality-major.
    nodes = torch.arange(size * num_modalities).view(size, num_modalities).T.flatten()
    assert_close(dense[nodes][:, nodes], case["adjacency"], 1e-10, "adjacency")


@pytest.mark.parametrize("path", FUSION_CASES, ids=lambda path: path.stem)
def test_fusion(path: Path) -> None:
    case = Case(path)
    module = PublishedFusion(case)
    x = case.inputs().requires_grad_()
    output = module(x, case.speaker, case.ptr)
    assert_close(output, case["output"], 1e-10, "output")

    (output * case["output_weight"]).sum().backward()
    for m, letter in enumerate(case.modals):
        gradient = x.grad[:, m].contiguous()
        assert_close(gradient, case[f"grad_input.{letter}"], 1e-10, f"gradient of input {letter}")
    ours = module.published_gradients(case.modals)
    theirs = case.stripped("grad_weight.")
    for key, gradient in theirs.items():
        # They have weights that their model does not use; ours has not.
        expected = ours.get(key, torch.zeros_like(gradient))
        assert_close(expected, gradient, 1e-10, f"gradient of {key}")
    assert {key for key, gradient in theirs.items() if gradient.any()} <= ours.keys()


@pytest.mark.parametrize("path", MODEL_CASES, ids=lambda path: path.stem)
def test_model(path: Path) -> None:
    case = Case(path)
    config = case.config
    names = {"a": "audio", "v": "visual", "l": "text"}
    weights = {key: value.double() for key, value in case.stripped("weight.").items()}
    model = MMDFN.from_published(
        weights,
        modalities=[names[letter] for letter in case.modals],
        speaker_weights={
            names[letter]: weight
            for letter, weight in config["speaker_weights"].items()
            if letter in case.modals
        },
        alpha=config["alpha"],
        theta=config["lamda"],
        cross_weight=config.get("cross_weight", 1.0),
        gated=config.get("dynamic", True),
        concat=config.get("residual_concat", True),
    ).eval()
    features = {names[letter]: case[f"input.{letter}"] for letter in case.modals}
    logits = model(features, case.speaker, case.ptr)
    assert_close(logits.log_softmax(-1), case["log_probs"], 1e-8, "log_probs")
