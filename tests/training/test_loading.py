"""What a model's folder says of itself is not trusted."""

import json
from pathlib import Path
from shutil import copytree

import pytest
import torch

from graphfusion.training import Recipe, Run, fit_seeds, load_model

pytestmark = [
    pytest.mark.filterwarnings("ignore::Warning"),  # the trainer's, about tiny data
    pytest.mark.usefixtures("undrawn"),
]


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (
            {"recipe": {"model": "bigru"}},
            r"data.json must say what .* but: KeyError\('in_channels'\)",
        ),
        ({"recipe": {"other": 1}}, "data.json must say what the model was made of"),
        ({"recipe": 3, "in_channels": {"a": 1}, "classes": []}, "data.json must say what"),
        ([], "must be an object, but is list"),
    ],
)
def test_what_it_was_made_of(about: object, message: str, runs: list[Run], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    copytree(runs[0].folder / "model", folder)
    (folder / "data.json").write_text(json.dumps(about))
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
