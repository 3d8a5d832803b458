"""The parts of an experiment: what each process sees, recipes, folds, tables and comparisons."""

import csv
import json
import re
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import results
import search
import torch
from experiment.batches import batches, draw_seed
from experiment.data import fingerprint, held_out, subsets
from experiment.models import make_model
from experiment.recipes import ABLATIONS, MODELS, parse_settings, recipe_of
from experiment.report import cell, compare, majority, markdown, show
from experiment.training import AtomicCheckpoints
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_f1_score

from graphfusion import Conversation
from graphfusion.datasets import Corpus
from tests.test_example import write_npz

counts = st.integers(1, 60)


@given(counts, st.integers(1, 20), st.integers(0, 2**31), st.integers(0, 50))
def test_an_epoch_is_every_conversation_once(size: int, most: int, seed: int, epoch: int) -> None:
    steps = batches(size, most, seed, epoch)
    assert sorted(chain(*steps)) == list(range(size))
    lengths = [len(step) for step in steps]
    assert max(lengths) <= most
    assert max(lengths) - min(lengths) <= 1
    assert steps == batches(size, most, seed, epoch)


@given(counts, st.integers(2, 20), st.integers(1, 4), st.integers(0, 9))
def test_processes_share_each_step(size: int, most: int, world: int, seed: int) -> None:
    whole = batches(size, most, seed, 0)
    if min(map(len, whole)) < world:
        with pytest.raises(ValueError, match=f"for each of the {world} processes"):
            batches(size, most, seed, 0, 0, world)
        return
    shares = [batches(size, most, seed, 0, rank, world) for rank in range(world)]
    for step, *parts in zip(whole, *shares, strict=True):
        assert sorted(chain(*parts)) == sorted(step)
        assert all(parts)


def test_seeds_and_epochs_differ() -> None:
    assert batches(30, 8, 0, 0) != batches(30, 8, 0, 1)
    assert batches(30, 8, 0, 0) != batches(30, 8, 1, 0)
    keys = [(seed, epoch, step) for seed in range(5) for epoch in range(5) for step in range(5)]
    assert len({draw_seed(*each) for each in keys}) == len(keys)


def test_settings() -> None:
    words = ["lr=0.1", "past=null", "gated=false", 'context=["a"]', "name=word", "empty="]
    expected = {"lr": 0.1, "past": None, "gated": False, "context": ["a"], "name": "word"}
    assert parse_settings(words) == expected | {"empty": ""}
    with pytest.raises(ValueError, match=re.escape("must be NAME=VALUE, but got '=1'")):
        parse_settings(["=1"])


def test_recipes() -> None:
    recipe = recipe_of("mmdfn", "meld", {"lr": 1.0, "num_layers": 3})
    assert (recipe.lr, recipe.gamma, recipe.model) == (1.0, 0.5, {"num_layers": 3})
    assert recipe_of("mmdfn", "meld", {}).lr == 5e-4  # and what is published stays
    # An ablation is one whatever else is asked for.
    assert recipe_of("no_graph", "iemocap", {"past": 5}).model["past"] == 0
    json.dumps(recipe.as_dict())


@pytest.mark.parametrize("name", MODELS)
def test_models_predict_every_utterance_and_ignore_what_is_absent(name: str) -> None:
    sizes = {"text": 5, "audio": 4}
    settings = {"num_layers": 2} if name in ABLATIONS else {}
    settings |= recipe_of(name, "iemocap", {}).model
    model = make_model(name, "iemocap", sizes, ["x", "y", "z"], settings).eval()
    features = {key: torch.randn(6, size) for key, size in sizes.items()}
    speaker, ptr = torch.tensor([0, 1, 0, 0, 1, 0]), torch.tensor([0, 3, 6])
    present = torch.ones(6, 2, dtype=torch.bool)
    present[1, 1] = False
    out = model(features, speaker, ptr, present)
    assert out.shape == (6, 3)
    features["audio"][1] = torch.nan
    assert torch.equal(model(features, speaker, ptr, present), out)


def test_an_unknown_model() -> None:
    with pytest.raises(ValueError, match="model must be one of .* but got 'other'"):
        make_model("other", "iemocap", {"text": 1}, ["x"], {})


def talk(name: str, *labels: int) -> Conversation:
    y = torch.tensor(labels)
    return Conversation({"text": torch.ones(len(y), 2)}, torch.zeros_like(y), y, id=name)


def test_folds_are_of_training_conversations_and_differ_by_seed() -> None:
    train = [talk(f"{i}", 0, 1) for i in range(40)]
    corpus = Corpus(("x", "y"), {"train": train, "test": [talk("test", 1)]})
    training, validation = held_out(corpus, 0)
    assert len(validation) == 4
    assert {each.id for each in training} | {each.id for each in validation} == {
        each.id for each in train
    }
    assert len(training) == 36
    assert {each.id for each in held_out(corpus, 1)[1]} != {each.id for each in validation}
    official = Corpus(("x", "y"), {"train": train, "dev": [talk("dev", 0)]})
    assert [each.id for each in held_out(official, 0)[1]] == ["dev"]
    with pytest.raises(ValueError, match="at least two training conversations"):
        held_out(Corpus(("x", "y"), {"train": train[:1]}), 0)


def test_the_fingerprint_is_of_everything() -> None:
    def make(label: int = 1, value: float = 1.0, split: str = "test") -> str:
        other = talk("b", 0, label)
        other.features["text"][0, 0] = value
        return fingerprint(Corpus(("x", "y"), {"train": [talk("a", 0)], split: [other]}))

    assert make() == make()
    assert len({make(), make(label=0), make(value=1.5), make(split="dev")}) == 4


def test_subsets() -> None:
    assert subsets("abc") == [list(x) for x in ("a", "b", "c", "ab", "ac", "bc", "abc")]


def test_tables() -> None:
    assert cell([0.5]) == "50.0"
    assert cell([0.4, 0.6]) == "50.0 ± 14.1"
    rows = [["model", "F1"], ["a", "50.0"]]
    assert show(rows) == "model  F1\na      50.0"
    assert markdown(rows) == "| model | F1 |\n| --- | --- |\n| a | 50.0 |"


def test_the_majority_class() -> None:
    corpus = Corpus(("x", "y"), {"train": [talk("a", 1, 1, 0)], "test": [talk("b", 1, 0, 0)]})
    result = majority(corpus)
    assert result.strict["accuracy"] == pytest.approx(1 / 3)
    assert result.strict["f1"] == pytest.approx(1 / 3 * 0.5)
    assert result.f1 == pytest.approx([0, 0.5])


def test_a_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "run/last.ckpt"
    AtomicCheckpoints().save_checkpoint({"epoch": 1}, path)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        AtomicCheckpoints().save_checkpoint({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert list(path.parent.iterdir()) == [path]


def write_predictions(folder: Path, labels: np.ndarray, predicted: np.ndarray) -> None:
    folder.mkdir(parents=True)
    with (folder / "predictions.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["conversation", "utterance", "label", "predicted"])
        rows.writerows(
            [i // 5, i % 5, *pair] for i, pair in enumerate(zip(labels, predicted, strict=True))
        )


def test_models_are_compared_on_the_same_draws(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    wrong = np.where(rng.random(200) < 0.5, (labels + 1) % 3, labels)
    for seed in range(2):
        for name, predicted in (("good", labels), ("bad", wrong), ("same", labels)):
            write_predictions(tmp_path / name / f"seed_{seed}", labels, predicted)
    folders = {name: tmp_path / name for name in ("bad", "same", "good")}
    heading, _, bad, same = compare(folders, 2, 3).splitlines()
    assert heading.startswith("| good against | strict F1 |")
    assert same == "| same | +0.0 | +0.0 to +0.0 |"
    # One hundred percent against the F1 that a library finds; draws scatter around it.
    f1 = float(
        multiclass_f1_score(torch.tensor(wrong), torch.tensor(labels), 3, average="weighted")
    )
    mean = float(bad.split("|")[2])
    assert mean == pytest.approx(100 * (1 - f1), abs=1)
    low, high = map(float, bad.split("|")[3].split("to"))
    assert 0 < low < mean < high


@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
def test_a_search_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_npz(tmp_path / "talks.npz", {"text": 5}, ("train", "test"))
    monkeypatch.setitem(search.GRIDS, "iemocap", {"num_layers": [1, 2], "lr": [1e-3, 1e-4]})
    arguments = ["--features", str(tmp_path / "talks.npz"), "--seeds", "2", "--epochs", "1"]
    arguments += ["--output", str(tmp_path / "runs")]
    assert len(search.main([*arguments, "--trials", "1"]).trials) == 1
    study = search.main([*arguments, "--trials", "2"])
    assert len(study.trials) == 2
    printed = capsys.readouterr().out
    settings = printed.splitlines()[-1].removeprefix("--set ").split()
    assert parse_settings(settings) == study.best_params
    folder = tmp_path / "runs/talks/search/iemocap/trial_1"
    scores = [
        json.loads((folder / f"seed_{seed}/result.json").read_text())["val_f1"] for seed in (0, 1)
    ]
    assert study.trials[1].value == pytest.approx(np.mean(scores))


@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
def test_the_table_of_results(tmp_path: Path) -> None:
    write_npz(tmp_path / "mosi.npz", {"text": 5, "audio": 3}, ("train", "test"))
    arguments = ["--data", str(tmp_path), "--only", "mosi", "--models", "logistic", "mmdfn"]
    arguments += ["--seeds", "2", "--epochs", "1", "--runs", str(tmp_path / "runs")]
    arguments += ["--output", str(tmp_path / "table.md")]
    page = results.main(arguments)
    assert (tmp_path / "table.md").read_text() == page
    assert page.startswith("## mosi: text, audio")
    assert "| mmdfn | 2 |" in page
    assert "| mmdfn against | strict F1 | 95 % of draws |" in page
    before = (tmp_path / "runs/mosi/mmdfn/seed_1/best.ckpt").stat().st_mtime_ns
    assert results.main(arguments) == page
    assert (tmp_path / "runs/mosi/mmdfn/seed_1/best.ckpt").stat().st_mtime_ns == before
