"""Tables of scores, and paired comparisons."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_f1_score

from graphfusion.training import Run, compare, percent, table

NAMES = np.array(["x", "y", "z"])


def write(folder: Path, seed: int, labels: np.ndarray, predicted: np.ndarray) -> Run:
    folder.mkdir(parents=True)
    classes = [] if labels.dtype.kind == "f" else list(NAMES)
    (folder / "result.json").write_text('{"strict": {}}')
    task = "classification" if classes else "regression"
    config = {"seed": seed, "data": {"classes": classes}, "model": {"arguments": {"task": task}}}
    (folder / "config.json").write_text(json.dumps(config))
    number = np.arange(len(labels))
    rows = {"conversation": number // 5, "utterance": number % 5}
    rows |= {"label": labels, "predicted": predicted}
    pd.DataFrame(rows).to_csv(folder / "predictions.csv", index=False)
    return Run(folder)


def f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    return float(
        multiclass_f1_score(torch.tensor(predicted), torch.tensor(labels), 3, average="weighted")
    )


def test_models_are_compared_on_the_same_draws(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    wrong = np.where(rng.random(200) < 0.5, (labels + 1) % 3, labels)
    runs = {
        name: [
            write(tmp_path / name / f"{seed}", seed, NAMES[labels], NAMES[predicted])
            for seed in range(2)
        ]
        for name, predicted in (("bad", wrong), ("same", labels), ("good", labels))
    }
    found = compare(runs)
    assert list(found.index) == ["bad", "same"]
    assert list(found.loc["same"]) == [2, 0, 0, 0, 0, 0]
    bad = found.loc["bad"]
    # The difference of a perfect score from the F1 of a library, which the samples scatter around.
    assert bad["f1 difference"] == pytest.approx(1 - f1(labels, wrong), abs=1e-6)
    assert bad["f1 by seed"] == pytest.approx(bad["f1 difference"])
    assert 0 < bad["f1 low"] < bad["f1 difference"] < bad["f1 high"] < 1
    with pytest.raises(ValueError, match=r"at least two models, but got \['good'\]"):
        compare({"good": runs["good"]})
    other = write(tmp_path / "other", 0, NAMES[labels[5:]], NAMES[labels[5:]])
    with pytest.raises(ValueError, match="must be on the same test utterances"):
        compare({"other": [other], "good": runs["good"]})


def test_every_run_must_have_test_scores(tmp_path: Path) -> None:
    good, other = (
        [write(tmp_path / name, 0, NAMES[[0, 1]], NAMES[[0, 1]])] for name in ("good", "other")
    )
    (tmp_path / "other/result.json").write_text("{}")
    for make in (table, compare):
        with pytest.raises(ValueError, match="test scores, but other was trained without"):
            make({"good": good, "other": other})


def test_every_run_must_have_the_same_classes(tmp_path: Path) -> None:
    labels = NAMES[np.arange(30) % 3]
    one, two, other = (write(tmp_path / name, 0, labels, labels) for name in "abc")
    config = tmp_path / "c/config.json"
    config.write_text(config.read_text().replace('"z"', '"w"'))
    with pytest.raises(ValueError, match=r"the same classes, but first .*'w'\], and last"):
        compare({"first": [other], "last": [one, write(tmp_path / "d", 1, labels, labels)]})
    assert two.config["seed"] == one.config["seed"]


def test_runs_of_a_model_differ_in_their_seeds_only(tmp_path: Path, runs: list[Run]) -> None:
    config = runs[1].config
    for changed, shown in (
        ({"settings": {**config["settings"], "lr": 1.0}}, r"settings lr 1\.0 instead of"),
        ({"recipe": {**config["recipe"], "model": "static"}}, "recipe model static instead of"),
    ):
        folder = Path(shutil.copytree(runs[1].folder, tmp_path / shown[:5]))
        (folder / "config.json").write_text(json.dumps({**config, **changed}))
        mixed = {"mmdfn": [runs[0], Run(folder)], "other": runs}
        for use in (table, compare):
            with pytest.raises(ValueError, match="must differ in their seeds only, .*" + shown):
                use(mixed)
    with pytest.raises(ValueError, match="must have different seeds, but mmdfn has two with 0"):
        table({"mmdfn": [runs[0], runs[0]]})


def test_a_score_that_is_not_a_number_is_not_left_out(tmp_path: Path) -> None:
    labels = np.linspace(-1, 1, 20)
    of = [write(tmp_path / str(seed), seed, labels, labels) for seed in range(3)]
    for run, corr in zip(of, (0.5, math.nan, 0.25), strict=True):
        scores = {"mae": 1.0, "corr": corr}
        result = {"strict": scores, "legacy": {"mae": 1.0, "corr": 0.5}, "class_f1": {}}
        (run.folder / "result.json").write_text(json.dumps(result))
    found = table({"model": of})
    assert math.isnan(found.loc["model", "strict corr"])
    assert percent(found).loc["model", "legacy corr"] == "0.500 ± 0.000"  # and no percent


@given(data=st.data())
def test_the_difference_is_that_of_the_scores(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    of = st.lists(st.integers(0, 2), min_size=12, max_size=12).map(np.array)
    labels, one, other = (data.draw(of) for _ in range(3))
    folder = tmp_path_factory.mktemp("runs")
    runs = {
        name: [write(folder / name, 0, NAMES[labels], NAMES[predicted])]
        for name, predicted in (("one", one), ("other", other))
    }
    found = compare(runs).loc["one", "f1 difference"]
    # The library's are float32.
    assert found == pytest.approx(f1(labels, other) - f1(labels, one), abs=1e-6)


def test_scores_are_compared_by_their_error(tmp_path: Path) -> None:
    labels = np.linspace(-1, 1, 20)
    runs = {
        name: [write(tmp_path / name, 0, labels, labels + off)]
        for name, off in (("far", 0.5), ("near", 0.1))
    }
    assert compare(runs).loc["far", "mae difference"] == pytest.approx(-0.4)
    assert math.isnan(compare(runs).loc["far", "mae by seed std"])
    assert percent(compare(runs)).loc["far", "mae difference"] == "-0.400"  # and no percent


def test_tables(runs: list[Run]) -> None:
    found = table({"mmdfn": runs, "one": runs[:1]})
    assert list(found.loc[:, "seeds"]) == [2, 1]
    strict = [run.result["strict"]["f1"] for run in runs]
    assert found.loc["mmdfn", "strict f1"] == pytest.approx(np.mean(strict))
    assert found.loc["mmdfn", "strict f1 std"] == pytest.approx(np.std(strict, ddof=1))
    assert math.isnan(found.loc["one", "strict f1 std"])
    assert "F1 x" in found
    shown = percent(pd.DataFrame({"seeds": [2], "f1": [0.5], "f1 std": [0.141]}, index=["a"]))
    assert shown.to_dict("records") == [{"seeds": "2", "f1": "50.0 ± 14.1"}]
    assert percent(pd.DataFrame({"f1": [0.5]})).loc[0, "f1"] == "50.0"


@pytest.mark.parametrize("name", ["std", "mae", "calm corr"])
def test_classes_may_have_the_names_of_scores(tmp_path: Path, name: str) -> None:
    labels = NAMES[np.arange(6) % 3]
    of = [write(tmp_path / str(seed), seed, labels, labels) for seed in range(2)]
    for run, f1 in zip(of, (0.5, 0.7), strict=True):
        result = {"strict": {"f1": f1}, "legacy": {"f1": f1}, "class_f1": {name: f1, "calm": 0.25}}
        (run.folder / "result.json").write_text(json.dumps(result))
    shown = percent(table({"model": of})).loc["model"]
    assert shown[f"F1 {name}"] == "60.0 ± 14.1"
    assert shown["F1 calm"] == "25.0 ± 0.0"
    assert list(shown.index) == ["seeds", "strict f1", "legacy f1", f"F1 {name}", "F1 calm"]


def test_without_labels_nothing_is_compared(tmp_path: Path) -> None:
    labels, predicted = np.full(6, None), NAMES[np.arange(6) % 3]
    runs = {name: [write(tmp_path / name, 0, labels, predicted)] for name in ("a", "b")}
    with pytest.raises(ValueError, match="must have labelled test utterances, but have none"):
        compare(runs)


def test_a_conversation_may_have_any_name(tmp_path: Path) -> None:
    labels = NAMES[np.arange(15) % 3]
    run = write(tmp_path / "run", 0, labels, labels)
    path = run.folder / "predictions.csv"
    table = pd.read_csv(path).assign(conversation=np.repeat(["", "NA", "nan"], 5))
    table.loc[3, "label"] = None
    table.to_csv(path, index=False)
    assert list(run.predictions["conversation"].unique()) == ["", "NA", "nan"]
    assert list(run.predictions["label"].isna().to_numpy().nonzero()[0]) == [3]
