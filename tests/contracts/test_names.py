"""Modalities of any name: it goes through everything, or is refused when the model is built."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch

from graphfusion import MMDFN, Conversation, ConversationModel
from graphfusion.datasets import Corpus, load, save

AWKWARD = (
    "weight", "bias", "forward", "a.b", "a#b", ".", "..", "#", " ", "\n", "\0", "a/b", "é", "日本",
    "x" * 5000, "features", "features.y", "type", "keys", "items", "pop", "update", "y", "ptr",
    "batch", "index", "edge_index", "present", "speaker", "num_nodes", "id", "schema", "<SPACE>",
    "__metadata__", "__class__", "T_destination", "in_channels", "dump_patches",
)  # fmt: skip
REFUSED = (
    "training", "_modules", "_parameters", "_buffers", "_forward_hooks", "\ud800", "a\udfff", "",
)  # fmt: skip
names = st.sampled_from(AWKWARD) | st.text(min_size=1, max_size=5)


def model_of(*names: str) -> ConversationModel:
    small = {"channels": 4, "hidden_channels": 3, "num_layers": 1, "utterance_channels": 2}
    sizes = {name: size for size, name in enumerate(names, 2)}
    return MMDFN(sizes, 2, context=names[:1], causal=True, **small).eval()


def conversation(sizes: dict[str, int]) -> Conversation:
    features = {name: torch.randn(3, size) for name, size in sizes.items()}
    present = {next(iter(sizes)): torch.tensor([True, False, True])}
    labels = torch.tensor([0, 1, 0])
    return Conversation(features, torch.tensor([0, 1, 0]), labels, present, id="one")


@given(st.lists(names, min_size=1, max_size=3, unique_by=lambda name: name.replace(".", "#")))
def test_a_name_goes_through_everything(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("names")
    model = model_of(*names)
    one = conversation(model.in_channels)
    model.standardize.fit([one])
    batch = Batch.from_data_list([one, one])
    expected = model(batch)
    again = MMDFN(**model.config).eval()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(batch), expected)
    model.save_pretrained(folder)
    assert torch.equal(MMDFN.from_pretrained(folder)(batch), expected)
    save(Corpus(("a", "b"), {"train": [one]}), folder / "corpus")
    read = load(folder / "corpus")
    assert list(read.in_channels) == names
    assert torch.equal(model(read.splits["train"][0]), model(one))
    stream = model.stream()
    for u in range(3):
        if u == 1:  # in another process, say
            state, stream = stream.state_dict(), model.stream()
            stream.load_state_dict(state)
        features = {name: value[u : u + 1] for name, value in one.features.items()}
        present = {name: value[u : u + 1] for name, value in one.present.items()}
        logits = stream.step(features, one.speaker[u : u + 1], present=present)
        torch.testing.assert_close(logits, expected[u : u + 1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", AWKWARD, ids=ascii)
def test_an_awkward_name_goes_through_everything(tmp_path: Path, name: str) -> None:
    model = model_of("text", name)
    model.save_pretrained(tmp_path)
    one = conversation(model.in_channels)
    assert MMDFN.from_pretrained(tmp_path).predict(one) == model.predict(one)


@pytest.mark.parametrize("name", REFUSED, ids=ascii)
def test_a_name_that_cannot_be_is_refused_when_the_model_is_built(name: str) -> None:
    with pytest.raises((TypeError, ValueError), match="in_channels must") as caught:
        model_of("text", name)
    assert ascii(name) in str(caught.value)
