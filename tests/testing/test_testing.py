"""A broken layer for every contract, which breaks that one and no other."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from graphfusion import (
    MMDFN,
    BatchLayout,
    ConversationGraph,
    DynamicFusion,
    MultimodalGraph,
    SpeakerEncoder,
)
from graphfusion import testing as contracts
from graphfusion.testing import RaggedBatch, check_encoder, check_fusion, check_model, odd_batches

SLOW = pytest.mark.slow


class Plain(torch.nn.Module):
    """One linear propagation, which breaks nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.in_channels, self.out_channels = 5, 4
        self.lin = torch.nn.Linear(5, 4)

    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        if graph.present is not None:
            x = x.where(graph.present.unsqueeze(-1), 0)
        return graph.propagate(self.lin(x))


class Mutating(Plain):
    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        out = super().forward(x, graph)
        x.data.neg_()
        return out


class Leaking(Plain):
    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        out = super().forward(x, graph)
        return out + out.mean(0)


class Ordered(Plain):
    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        return super().forward(x, graph) * torch.arange(1.0, 1 + x.size(1)).unsqueeze(1)


class Dividing(Plain):
    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        if graph.present is not None:
            x = x.where(graph.present.unsqueeze(-1), 1)  # else it divides NaN
        unit = x / x.norm(dim=-1, keepdim=True)
        if graph.present is not None:
            unit = unit.where(graph.present.unsqueeze(-1), 0)
        return super().forward(x, graph) + unit[..., :4]


class Rooting(Plain):
    """Finite values, an infinite slope."""

    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        if graph.present is not None:
            x = x.where(graph.present.unsqueeze(-1), 0)
        return super().forward(x, graph) + x.abs()[..., :4].sqrt()


class Widening(Plain):
    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        return super().forward(x, graph).double()


class Cutting(Plain):
    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        return super().forward(x, graph)[..., :-1]


class Multiplying(Plain):
    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        here = torch.tensor(True) if graph.present is None else graph.present.unsqueeze(-1)
        return super().forward(x, graph) + x[..., :4] * here


class Late(Plain):
    """Masks what is finite only in the output: the weight's gradient is 0 * NaN."""

    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        return graph.propagate(self.lin(x))


class Breaking(Plain):
    def forward(self, x: Tensor, graph: MultimodalGraph) -> Tensor:
        if x.sum() == 0.5:  # never, but the compiler cannot know
            raise ValueError
        return super().forward(x, graph)


BROKEN = {
    Mutating: "no mutation",
    Leaking: "batch independence",
    Ordered: "permutation",
    Dividing: "finite values and gradients",
    Rooting: "finite values and gradients",
    Widening: "shape and dtype",
    Cutting: "shape and dtype",
    Multiplying: "absent modalities",
    Late: "absent modalities",
    Breaking: "compile without breaks",
}


def test_batches_of_five_modalities() -> None:
    for batch in odd_batches(4, 5):
        assert len(batch.features) == 5
        assert batch.layout.num_modalities == (None if batch.present is None else 5)
    model = MMDFN(dict.fromkeys("abcde", 4), 3, num_layers=1, channels=4, hidden_channels=4)
    check_model(model)


def broken_by(layer: torch.nn.Module, compiled: bool = True) -> set[str]:
    """The names of the contracts that a layer breaks; to compile it takes longest."""
    build = ConversationGraph()

    def run(x: Tensor, layout: BatchLayout) -> Tensor:
        return layer(x, build(x, layout))

    def arguments(batch: RaggedBatch) -> tuple[Tensor, MultimodalGraph]:
        return batch.x.clone(), build(batch.x, batch.layout)

    held = [
        lambda batch: contracts.assert_shape_and_dtype(run, batch, [len(batch.x), "M", 4]),
        lambda batch: contracts.assert_finite(run, batch, layer.parameters()),
        lambda batch: contracts.assert_not_mutating(run, batch),
        lambda batch: contracts.assert_permutation_equivariant(run, batch),
        lambda batch: contracts.assert_batch_independent(run, batch),
        lambda batch: contracts.assert_ignores_absent(run, batch, layer.parameters()),
    ]
    out = set()
    for batch in odd_batches(5):
        for each in held:
            try:
                each(batch)
            except AssertionError as error:
                contract, place, _ = str(error).partition(f": on the batch {batch.name!r} (convers")
                out.add(contract.partition(" (")[0] if place else str(error))
    if compiled:
        try:
            contracts.assert_compiles(layer, odd_batches(5)[:1], arguments)
        except AssertionError as error:
            out.add(str(error).partition(":")[0])
    return out


def test_a_good_layer_breaks_nothing() -> None:
    assert broken_by(Plain(), compiled=False) == set()  # it is compiled below


# Each contract is broken once in the quick run.
TWICE = (Rooting, Widening, Late)


@pytest.mark.parametrize(
    ("kind", "contract"),
    [pytest.param(*each, marks=SLOW if each[0] in TWICE else ()) for each in BROKEN.items()],
)
def test_a_broken_layer_breaks_its_contract_only(kind: type[Plain], contract: str) -> None:
    assert broken_by(kind(), compiled=kind is Breaking) == {contract}
    with pytest.raises(AssertionError, match=f"^{contract}.*: on the batch "):
        check_fusion(kind())


@pytest.mark.parametrize(
    ("dtype", "gated", "concat"),
    [
        (torch.float32, True, True),
        (torch.float32, False, False),
        (torch.float64, True, False),
        (torch.float64, False, True),
    ],
)
@SLOW  # the quick run has the example of `graphfusion.testing`, and the whole model below
def test_dynamic_fusion_holds(dtype: torch.dtype, gated: bool, concat: bool) -> None:
    fusion = DynamicFusion(7, 5, 2, dropout=0.3, gated=gated, concat=concat).to(dtype)
    check_fusion(fusion)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_encoders_hold(bidirectional: bool) -> None:
    check_encoder(SpeakerEncoder(6, 4, dropout=0.3, bidirectional=bidirectional))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, marks=SLOW),
        pytest.param({"causal": True}, marks=SLOW),
        {"past": 2},
        pytest.param({"utterance_channels": 4}, marks=SLOW),
    ],
)
def test_models_hold(options: dict[str, object]) -> None:
    sizes = {"text": 3, "audio": 5}
    check_model(MMDFN(sizes, 4, context=("text",), channels=6, num_layers=2, **options))


class Recalling(SpeakerEncoder):
    """Adds the utterance before to the second modality, and so knows which it is."""

    def forward(self, x: Tensor, layout: BatchLayout) -> Tensor:
        out = super().forward(x, layout)
        before = x.roll(1, 0).index_fill(0, layout.ptr[:-1], 0)
        out[:, 1, :6] += before[:, 1]
        return out


def test_encoders_and_models_that_do_not() -> None:
    class Padding(SpeakerEncoder):
        """Takes the batch for one conversation, and pads it."""

        def forward(self, x: Tensor, _: BatchLayout) -> Tensor:
            return self.rnn(torch.cat([x, x.new_zeros(1, *x.shape[1:])]))[0][:-1]

    with pytest.raises(AssertionError, match="^permutation: on the batch 'normal'"):
        check_encoder(Padding(6, 4))
    with pytest.raises(AssertionError, match="^permutation: .* utterance .* differs by"):
        check_encoder(Recalling(6, 4))

    class Centred(MMDFN):
        def forward(self, features: dict[str, Tensor], layout: BatchLayout) -> Tensor:
            out = super().forward(features, layout)
            return out + out.amax(0)

    with pytest.raises(AssertionError, match="^batch independence: .* utterance .* differs by"):
        check_model(Centred({"text": 3, "audio": 5}, 4, channels=6, num_layers=2))


class Counting(torch.nn.Module):
    """Changes its buffers in training, as a batch normalisation does."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        return x


def test_the_size_may_be_given_and_the_module_is_left_as_it_was() -> None:
    fusion = Plain()
    fusion.lin = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Dropout(), Counting())
    fusion.lin[0].eval()
    del fusion.in_channels
    state = {name: value.clone() for name, value in fusion.state_dict().items()}
    chance = torch.get_rng_state()
    check_fusion(fusion, in_channels=5)
    assert fusion.training
    assert fusion.lin[1].training
    assert not fusion.lin[0].training
    assert all(parameter.grad is None for parameter in fusion.parameters())
    assert all(torch.equal(state[name], value) for name, value in fusion.state_dict().items())
    assert torch.equal(torch.get_rng_state(), chance)
    assert str(odd_batches(3)[0]) == (
        "the batch 'normal' (conversations of [1, 6, 3, 1, 2] utterances, 2 modalities, "
        "torch.float32)"
    )


def test_a_size_that_is_not_known() -> None:
    layer = Plain()
    del layer.in_channels
    with pytest.raises(
        ValueError, match="in_channels must be given if the module has no such size"
    ):
        check_fusion(layer)


@pytest.mark.slow
def test_hypothesis_is_only_needed_for_the_strategies() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None; import graphfusion.testing;"
        "import graphfusion.testing.strategies"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImportError: hypothesis must be installed to draw batches; " in run.stderr
    assert str(Path("graphfusion/testing/strategies.py")) in run.stderr


def test_an_output_of_another_shape_for_one_conversation_is_found() -> None:
    def run(x: Tensor, layout: BatchLayout) -> Tensor:
        return x.flatten(1)[:, : layout.num_conversations]

    batch = odd_batches(3)[0]
    message = r"^batch independence: on the batch .*, the output must have shape \[\d+, 1\], got"
    with pytest.raises(AssertionError, match=message):
        contracts.assert_batch_independent(run, batch)


def test_outputs_without_a_gradient_may_be_finite_and_mutate_nothing() -> None:
    def run(x: Tensor, layout: BatchLayout) -> Tensor:
        return torch.zeros(len(x), layout.num_conversations)

    for batch in odd_batches(3):
        contracts.assert_finite(run, batch)
        contracts.assert_not_mutating(run, batch)
