"""Repositories of the Hub: against a stub of its client, without a network."""

import json
import re
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch

from graphfusion import MMDFN
from graphfusion.datasets import Corpus
from graphfusion.training import Recipe, Run, fit, fit_seeds, load_model, model_card, push_to_hub


class Hub:
    """Repositories as folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.private: dict[str, bool | None] = {}
        self.asked: list[tuple[str, str]] = []

    def create_repo(self, repo_id: str, private: bool | None, exist_ok: bool) -> None:
        assert exist_ok
        self.private[repo_id] = private

    def upload_folder(self, repo_id: str, folder_path: Path, commit_message: str):
        assert commit_message
        copytree(folder_path, self.root / repo_id, dirs_exist_ok=True)
        return SimpleNamespace(commit_url=f"https://hub/{repo_id}")

    def snapshot_download(self, repo_id: str, revision: str, allow_patterns: list[str]) -> str:
        self.asked.append((repo_id, revision))
        assert not [each for each in allow_patterns if not each.endswith((".json", ".safetensors"))]
        if not (self.root / repo_id).exists():
            raise FileNotFoundError(repo_id)
        return str(self.root / repo_id)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    stub = Hub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: stub)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", stub.snapshot_download)
    return stub


def test_what_is_uploaded_is_what_comes_back(hub: Hub, runs: list[Run], corpus: Corpus) -> None:
    assert push_to_hub(runs, "ann/calls", private=True) == "https://hub/ann/calls"
    assert hub.private == {"ann/calls": True}
    found = {path.name for path in (hub.root / "ann/calls").iterdir()}
    assert found == {"README.md", "config.json", "data.json", "model.safetensors"}
    batch = corpus.splits["test"][0]
    for read in (MMDFN.from_pretrained, load_model):
        model = read("ann/calls", revision="main")
        assert torch.equal(model(batch), runs[0].model()(batch))
    assert hub.asked == [("ann/calls", "main")] * 2


def test_the_card_has_the_data_of_the_model(runs: list[Run]) -> None:
    text = model_card(runs, "ann/calls")
    card = huggingface_hub.ModelCard(text)
    assert card.data.library_name == "graphfusion"
    assert {each.metric_type: each.metric_value for each in card.data.eval_results} == runs[
        0
    ].result["strict"]
    for words in (
        "\n# calls\n",
        "made.npz",
        "x, y, z",
        "| text | 5 |",
        "strict f1",
        " ± ",
        "## Limits",
        "seed 0",
    ):
        assert words in text
    assert runs[0].config["data"]["fingerprint"] in text


def test_the_card_of_a_model_without_test_conversations(runs: list[Run], tmp_path: Path) -> None:
    copytree(runs[0].folder, tmp_path / "run")
    result = runs[0].result.copy()
    del result["strict"]
    (tmp_path / "run/result.json").write_text(json.dumps(result))
    text = model_card([Run(tmp_path / "run")], "ann/calls")
    assert "\nNo test conversations.\n" in text
    assert huggingface_hub.ModelCard(text).data.eval_results is None


@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
@pytest.mark.usefixtures("undrawn")
def test_the_card_loads_any_named_model(corpus: Corpus, tmp_path: Path) -> None:
    changes = {"epochs": 1, "hidden_channels": 2}
    (run,) = fit_seeds(Recipe("bigru", changes=changes), corpus, tmp_path, [0])
    assert 'load_model("ann/calls", revision="main")' in model_card([run], "ann/calls")


@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
@pytest.mark.usefixtures("undrawn", "hub")
def test_the_card_shows_the_parts_of_a_model_of_own_parts(corpus: Corpus, tmp_path: Path) -> None:
    recipe = Recipe("bigru", changes={"epochs": 1, "hidden_channels": 2})
    model = recipe.build(corpus)
    run = fit(model, corpus, tmp_path / "run", recipe.settings)
    push_to_hub([run], "ann/calls")
    text = model_card([run], "ann/calls")
    (code,) = re.findall("```python\n(.*?)```", text, re.DOTALL)
    names = {name: getattr(model, name) for name in ("encoder", "graph", "fusion", "head")}
    names["conversation"] = corpus.splits["test"][0]
    exec(code, names)  # noqa: S102
    assert torch.equal(names["model"](names["conversation"]), model(names["conversation"]))


def test_a_mistyped_folder_is_no_download(hub: Hub, tmp_path: Path) -> None:
    for read in (MMDFN.from_pretrained, load_model):
        with pytest.raises(FileNotFoundError, match="must have a model.safetensors, but ann/calls"):
            read("ann/calls")
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "nowhere")
    assert hub.asked == []


def test_a_repository_is_not_trusted(hub: Hub, runs: list[Run]) -> None:
    push_to_hub(runs, "ann/calls")
    path = hub.root / "ann/calls/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_layers": 2}))
    with pytest.raises(ValueError, match="config.json"):
        load_model("ann/calls", revision="main")
