"""What a model's folder says of itself is not trusted."""

import json
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import MMDFN, ConversationModel
from graphfusion.training import Recipe, Run, fit_seeds, load_model

pytestmark = [
    pytest.mark.filterwarnings("ignore::Warning"),  # the trainer's, about tiny data
    pytest.mark.usefixtures("undrawn"),
]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (
            '{"recipe": {"model": "bigru"}}',
            r"data.json must describe .* but: KeyError\('in_channels'\)",
        ),
        ('{"recipe": {"other": 1}}', "data.json must describe how to build the model"),
        ('{"recipe": 3, "in_channels": {"a": 1}, "classes": []}', "data.json must describe"),
        ("[]", "must be a JSON object, but is list"),
        ("{", "data.json must be JSON, but: Expecting"),
    ],
)
def test_what_it_was_made_of(about: str, message: str, runs: list[Run], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    copytree(runs[0].folder / "model", folder)
    (folder / "data.json").write_text(about)
    with pytest.raises(ValueError, match=message):
        load_model(folder)


def test_sizes_take_no_memory_and_loading_draws_nothing(corpus, folder: Path) -> None:
    (run,) = fit_seeds(Recipe("bigru", changes={"epochs": 1}), corpus, folder, [0])
    before = torch.random.get_rng_state()
    run.model()
    assert torch.equal(torch.random.get_rng_state(), before)
    path = run.folder / "model/data.json"
    about = json.loads(path.read_text()) | {"in_channels": {"text": 2**40, "audio": 2**40}}
    path.write_text(json.dumps(about))
    with pytest.raises(ValueError, match=r"model.safetensors: .*must have shape"):
        load_model(run.folder / "model")


@given(st.data())
def test_a_damaged_file_has_one_message(runs: list[Run], data: st.DataObject) -> None:
    """However a model is opened."""
    whole = (runs[0].folder / "model/model.safetensors").read_bytes()
    with TemporaryDirectory() as name:
        folder = Path(name) / "model"
        copytree(runs[0].folder / "model", folder)
        path = folder / "model.safetensors"
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        messages = set()
        for load in (load_model, MMDFN.from_pretrained, ConversationModel.from_pretrained):
            with pytest.raises(ValueError, match="is damaged") as caught:
                load(folder)
            messages.add(str(caught.value))
    (message,) = messages
    assert message.startswith(f"{path}: the file must be whole, but is damaged: ")
