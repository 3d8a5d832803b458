"""The command `graphfusion` on a table of several classes at once, up to the comparison."""

from pathlib import Path

import pandas as pd
import pytest

from graphfusion.command_line import main
from graphfusion.datasets import load
from tests.several import CLASSES, several

pytestmark = [
    pytest.mark.filterwarnings("ignore::Warning"),  # the trainer's, about tiny data
    pytest.mark.usefixtures("undrawn"),
]


def test_a_table_becomes_models_and_predictions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = several(4, 2, missing=0.2)
    table, file, output = (
        tmp_path / name for name in ("table.parquet", "made.safetensors", "runs")
    )
    corpus.to_table().to_parquet(table)
    columns = f"label={','.join(CLASSES)}"
    assert main(["convert", str(table), str(file), "--columns", columns]) == 0
    assert load(file).task == "multilabel"
    assert main(["validate", str(file)]) == 0
    assert "num_classes=3, task=multilabel), no problems; utterances" in capsys.readouterr().out

    epoch = ["--output", str(output), "--settings.epochs=1"]
    small = ["--settings.num_layers=1", "--settings.channels=4", "--settings.hidden_channels=2"]
    assert main(["train", str(file), "--model", "logistic", *epoch]) == 0
    assert main(["train", str(file), *epoch, *small]) == 0
    folder = output / "made/logistic"
    model = str(folder / "seed_0/model")
    capsys.readouterr()
    assert main(["evaluate", model, str(file)]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["accuracy", "f1"]

    path = tmp_path / "predictions.csv"
    assert main(["predict", model, str(table), "--output", str(path)]) == 0
    found = pd.read_csv(path, keep_default_na=False)
    assert list(found) == ["conversation", "utterance", "turn", "predicted", *CLASSES]
    assert len(found) == len(corpus.to_table())
    for row in found.to_dict("records"):
        assert row["predicted"] == "+".join(name for name in CLASSES if row[name] > 0.5)
    assert main(["predict", model, str(file), "--calibrated"]) == 2
    assert "has no calibration" in capsys.readouterr().err

    assert main(["compare", str(folder), str(output / "made/mmdfn")]) == 0
    printed = capsys.readouterr().out
    assert "F1 joy" in printed
    assert "f1 difference" in printed
    assert main(["cross-validate", str(file), "--folds", "2", *epoch, *small]) == 0
    assert "| fold_2" in capsys.readouterr().out
