"""The comparison of fusions: its table, and that it is made again without training."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from graphfusion import Conversation
from graphfusion.command_line import main
from graphfusion.datasets import Corpus, save
from graphfusion.training import Recipe, Run, benchmark, compare, table
from graphfusion.training.benchmark import COMPARED, WITHOUT
from tests.runs import as_scores

# The name in the package is the function's.
module = import_module("graphfusion.training.benchmark")

pytestmark = [
    pytest.mark.filterwarnings("ignore::Warning"),  # the trainer's, about tiny data
    pytest.mark.usefixtures("undrawn"),
]
Make = Callable[..., Recipe]


@pytest.fixture
def fast(small: Make) -> dict[str, object]:
    """Settings of which training takes little time."""
    return dict(small(epochs=1).changes)


def test_the_table(corpus: Corpus, folder: Path, fast: dict[str, object]) -> None:
    found = benchmark(corpus, folder, changes=fast, models=["joint_layer"], seeds=[0, 1])
    assert list(found.index) == [WITHOUT, "joint_layer"]
    runs = {name: [Run(folder / name / f"seed_{seed}") for seed in (0, 1)] for name in found.index}
    scores = table(runs)
    assert list(found["strict f1"]) == list(scores["strict f1"])
    ahead = compare(runs).loc[WITHOUT]
    row = found.loc["joint_layer"]
    for key in ("f1 difference", "f1 low", "f1 high", "f1 by seed", "f1 by seed std"):
        assert row[key] == ahead[key]
    sizes = [sum(x.numel() for x in runs[name][0].model().parameters()) for name in runs]
    assert list(found["parameters"]) == sizes
    assert (found["ms a step"] > 0).all()

    # What is there is not trained again.
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("best.ckpt")}
    again = benchmark(corpus, folder, changes=fast, models=["joint_layer"], seeds=[0, 1])
    assert again.drop(columns="ms a step").equals(found.drop(columns="ms a step"))
    assert written == {path: path.stat().st_mtime_ns for path in folder.rglob("best.ckpt")}


def test_scores_keep_their_unit(
    corpus: Corpus, tmp_path: Path, fast: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    save(as_scores(corpus, 10.0), tmp_path / "scores.safetensors")
    settings = [f"--settings.{name}={value}" for name, value in fast.items()]
    command = ["benchmark", str(tmp_path / "scores.safetensors"), "--output", str(tmp_path / "out")]
    assert main([*command, *settings, "--models=[joint_layer]", "--seeds", "1"]) == 0
    (line,) = (each for each in capsys.readouterr().out.splitlines() if "| joint_layer" in each)
    found = pd.read_csv(tmp_path / "out/scores/benchmark.csv", index_col="model")
    shown = [cell.strip() for cell in line.split("|")[3:7]]
    names = ["strict mae", "mae difference", "mae low", "mae high"]
    assert shown == [f"{found.loc['joint_layer', name]:.3f}" for name in names]


def test_settings_are_searched_for_each(
    corpus: Corpus, folder: Path, fast: dict[str, object]
) -> None:
    benchmark(corpus, folder, changes=fast, models=[], seeds=[0], trials=1, groups=2)
    (trial,) = (folder / WITHOUT).glob("*/lr=*_dropout=*")
    assert {path.name for path in trial.iterdir()} == {"fold_1", "fold_2"}
    changes = Run(folder / WITHOUT / "seed_0").config["recipe"]["changes"]
    assert changes.keys() == {*fast, "lr", "dropout"}


def test_the_best_settings_are_taken(
    corpus: Corpus, folder: Path, fast: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRID", {"lr": [1e-6, 0.1, 1e-5]})
    changes = {**fast, "epochs": 3}
    benchmark(corpus, folder, changes=changes, models=[], seeds=[0], trials=3)
    search = Recipe(WITHOUT, "iemocap", changes)
    study = module.search(corpus, folder / WITHOUT, search, module.GRID, trials=3, seeds=1)
    assert len({trial.value for trial in study.trials}) > 1
    found = Run(folder / WITHOUT / "seed_0").config["recipe"]["changes"]
    assert found == {**changes, **study.best_params}


def test_a_fusion_that_takes_no_window_is_refused_before_training(
    corpus: Corpus, folder: Path, fast: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="past, future and causal must be left out with hypergra"):
        benchmark(corpus, folder, changes={**fast, "causal": True}, models=["hypergraph"])
    assert not folder.exists()


def test_every_model_that_is_compared_can_be_built(corpus: Corpus, folder: Path) -> None:
    with pytest.raises(ValueError, match="model must be one of"):
        benchmark(corpus, folder, models=[*COMPARED, "gate"])
    with pytest.raises(ValueError, match="corpus must have test conversations, but has"):
        benchmark(corpus.with_splits({"train": corpus.ids("train")}), folder)
    assert not folder.exists()


def test_the_command(
    corpus: Corpus, tmp_path: Path, fast: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    save(corpus, tmp_path / "made.safetensors")
    settings = [f"--settings.{name}={value}" for name, value in fast.items()]
    command = ["benchmark", str(tmp_path / "made.safetensors"), "--output", str(tmp_path / "out")]
    searched = ["--trials", "1", "--prefix", "6"]
    assert main([*command, *settings, "--models=[hypergraph]", "--seeds", "1", *searched]) == 0
    (trial,) = (tmp_path / "out/made/hypergraph").glob("*/lr=*_dropout=*")
    assert {path.name for path in trial.iterdir()} == set(corpus.ids("train"))
    printed = capsys.readouterr().out
    assert "| no_fusion" in printed
    assert "| hypergraph" in printed
    assert (tmp_path / "out/made/benchmark.csv").read_text().startswith("model,seeds,strict f1")


def test_what_cannot_be_compared_is_refused_before_training(
    corpus: Corpus, folder: Path, fast: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"not have settings that trials try, but have \['lr'\]"):
        benchmark(corpus, folder, changes={**fast, "lr": 0.1}, trials=1)
    blank = Corpus(
        corpus.classes,
        {
            "train": corpus.splits["train"],
            "test": [Conversation(x.features, x.speaker, id=x.id) for x in corpus.splits["test"]],
        },
    )
    with pytest.raises(ValueError, match="corpus must have labels in test, but has none"):
        benchmark(blank, folder, changes=fast)
    assert not folder.exists()
