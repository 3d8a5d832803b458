"""The command `graphfusion`: from a file to predictions, and what it says of mistakes."""

import importlib
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphfusion
from graphfusion.command_line import main, training_commands
from graphfusion.command_line.commands import COMMANDS
from graphfusion.command_line.parser import parse_settings
from graphfusion.datasets import load, save
from graphfusion.training import Run, load_model
from tests.runs import write_npz

SMALL = [f"--settings.{each}" for each in ("num_layers=1", "channels=4", "hidden_channels=2")]
SMALL.append("--settings.epochs=1")

pytestmark = [
    pytest.mark.filterwarnings("ignore::Warning"),  # the trainer's, about tiny data
    pytest.mark.usefixtures("undrawn"),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_npz(folder / "made.npz", {"text": 5, "audio": 4, "prosody": 2}, ("train", "test"))
    save(load(folder / "made.npz"), folder / "made.safetensors")
    return folder / "made.safetensors"


@pytest.fixture(scope="module")
def trained(file: Path) -> Path:
    """The folder of runs of two models."""
    output = str(file.parent / "runs")
    modalities = "--modalities=text,audio+prosody"
    for model in ("logistic", "mmdfn"):
        assert (
            main(["train", str(file), "--output", output, "--model", model, modalities, *SMALL])
            == 0
        )
    return file.parent / "runs/made"


def test_a_file_becomes_a_model_and_predictions(
    file: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained / "mmdfn/seed_0"
    assert (folder / "report.html").exists()
    assert (folder / "model/config.json").exists()
    assert Run(folder).config["data"]["in_channels"] == {"text": 5, "audio": 6}
    corpus = load(file)
    for name in ("p.csv", "p.parquet"):
        path = tmp_path / name
        assert main(["predict", str(folder / "model"), str(file), "--output", str(path)]) == 0
        table = pd.read_csv(path) if name.endswith("csv") else pd.read_parquet(path)
        assert list(table) == ["conversation", "utterance", "predicted", "x", "y", "z"]
        assert len(table) == sum(len(y) for split in corpus.splits for y in corpus.labels(split))
    capsys.readouterr()
    assert main(["evaluate", str(folder / "model"), str(file)]) == 0
    score = Run(folder).result["strict"]["f1"]
    assert f"f1 {score:.4f}" in capsys.readouterr().out
    assert main(["compare", str(trained / "logistic"), str(trained / "mmdfn")]) == 0
    printed = capsys.readouterr().out
    assert "strict f1" in printed
    assert "logistic differs from mmdfn in lr 0.003 instead of 0.0003, weight_decay " in printed
    assert "modalities" not in printed.split("differs from")[1].split("mmdfn minus")[0]
    assert "mmdfn minus each other model" in printed
    assert main(["compare", str(trained / "mmdfn")]) == 0
    printed = capsys.readouterr().out
    assert "strict f1" in printed
    assert "minus" not in printed  # of one model there is no difference
    load_model(trained / "logistic/seed_0/model")


def test_models_of_the_same_name_are_compared_by_their_paths(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copytree(trained / "logistic", tmp_path / "logistic")
    folders = [str(trained / "logistic"), str(tmp_path / "logistic")]
    assert main(["compare", *folders]) == 0
    printed = capsys.readouterr().out
    assert all(printed.count(f"| {folder} ") >= 1 for folder in folders)
    assert "differs from" not in printed
    for each in (tmp_path / "logistic").glob("*/config.json"):
        config = json.loads(each.read_text())
        config["recipe"] |= {"preset": "meld", "changes": {"past": 3}}
        config["data"]["in_channels"] = {"text": 5}
        each.write_text(json.dumps(config))
    assert main(["compare", *folders]) == 0
    printed = capsys.readouterr().out
    for words in ("preset iemocap instead of meld", "audio 6 instead of nothing", "past nothing"):
        assert words in printed
    assert main(["compare", folders[0], folders[0]]) == 2
    assert "must be different folders" in capsys.readouterr().err


def test_without_labelled_test_conversations_there_are_no_scores(
    file: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = load(file).to_table()
    table.loc[table["split"] == "test", "label"] = None
    table.to_parquet(tmp_path / "some.parquet")
    model = str(trained / "logistic/seed_0/model")
    assert main(["evaluate", model, str(tmp_path / "some.parquet")]) == 2
    assert "test must have a labelled utterance to be scored, but has" in capsys.readouterr().err
    table[table["split"] == "train"].to_parquet(tmp_path / "train.parquet")
    words = ["train", str(tmp_path / "train.parquet"), "--output", str(tmp_path), *SMALL]
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("model: ")


def test_predictions_may_be_calibrated(file: Path, trained: Path, tmp_path: Path) -> None:
    model, path = trained / "mmdfn/seed_0/model", tmp_path / "p.csv"
    assert main(["predict", str(model), str(file), "--output", str(path), "--calibrated"]) == 0
    table = pd.read_csv(path, keep_default_na=False)
    assert list(table) == ["conversation", "utterance", "predicted", "x", "y", "z", "set"]
    assert table[["x", "y", "z"]].sum(axis=1).to_numpy() == pytest.approx(1)
    held = [set(each.split("+")) - {""} for each in table["set"]]
    assert all(each <= {"x", "y", "z"} for each in held)
    about = json.loads((model / "data.json").read_text())
    assert about["calibration"].keys() == {"temperature", "threshold"}
    about["calibration"] = None
    (model / "data.json").rename(tmp_path / "data.json")
    try:
        (model / "data.json").write_text(json.dumps(about))
        assert main(["predict", str(model), str(file), "--calibrated"]) == 2
    finally:
        (tmp_path / "data.json").replace(model / "data.json")


def test_a_table_to_be_predicted_needs_no_labels(
    file: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = load(file).select(["text", "audio+prosody"])
    table = corpus.to_table().drop(columns=["label", "split"])
    table.to_parquet(tmp_path / "new.parquet")
    model = trained / "mmdfn/seed_0/model"
    about = json.loads((model / "data.json").read_text())
    assert about["modalities"] == ["text", "audio+prosody"]
    # Its modalities are joined already, as those of the model.
    (tmp_path / "model").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "model" / name).write_bytes((model / name).read_bytes())
    arguments = [str(tmp_path / "model"), str(tmp_path / "new.parquet")]
    assert main(["predict", *arguments, "--output", str(tmp_path / "p.csv")]) == 0
    found = pd.read_csv(tmp_path / "p.csv")
    assert list(found)[:4] == ["conversation", "utterance", "turn", "predicted"]
    assert len(found.merge(table, on=["conversation", "turn"])) == len(found) == len(table)
    assert main(["evaluate", *arguments]) == 1
    assert "'label'" in capsys.readouterr().err


def test_arguments_may_be_in_a_file(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.yaml").write_text(
        "preset: meld\nsettings: {epochs: 1, num_layers: 1, channels: 4, lr: 1e-2, past: null}\n"
    )
    # What is given beside the file wins, wherever it stands.
    (tmp_path / "settings.yaml").open("a").write("seeds: 3\noutput: elsewhere\n")
    arguments = ["train", str(file), "--seeds", "2", "--settings.hidden_channels=2"]
    arguments += ["--config", str(tmp_path / "settings.yaml"), "--output", str(tmp_path)]
    assert main(arguments) == 0
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 2  # and nothing else where there is no terminal
    for seed, line in enumerate(shown):
        run = Run(tmp_path / f"made/mmdfn/seed_{seed}")
        score = run.result["validation"]["f1"]
        assert f"mmdfn, seed {seed}: best epoch 0 (of 0 to 0), held-out f1 {score:.4f}, " in line
        assert line.endswith(f" s: {run.folder}")
    recipe = Run(tmp_path / "made/mmdfn/seed_1").config["recipe"]
    assert recipe["preset"] == "meld"
    assert recipe["changes"] == {
        "epochs": 1, "num_layers": 1, "channels": 4, "lr": 0.01, "past": None, "hidden_channels": 2,
    }  # fmt: skip


def test_cross_validation_and_search(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(file), "--output", str(tmp_path), *SMALL]
    assert main(["cross-validate", *arguments, "--folds", "2"]) == 0
    assert "| fold_2" in capsys.readouterr().out
    grid = ["--grid.lr=[0.1,0.01]", "--trials", "1", "--seeds", "1"]
    assert main(["search", *arguments, *grid]) == 0
    assert re.search(r"^--settings\.lr=0\.0?1$", capsys.readouterr().out, re.MULTILINE)


def test_fixed_settings_are_not_searched(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["search", str(file), "--output", str(tmp_path), *SMALL, "--trials=1"]
    assert main([*words, "--seeds=1", "--settings.lr=0.007"]) == 0
    (config,) = (
        json.loads(path.read_text())
        for path in tmp_path.rglob("config.json")
        if "seed_0" in path.parent.name
    )
    assert config["settings"]["lr"] == 0.007
    assert config["model"]["arguments"]["num_layers"] == 1
    shown = capsys.readouterr().out.splitlines()[-1]
    assert re.findall(r"settings\.(\w+)", shown) == ["weight_decay", "dropout", "gamma"]
    assert main([*words, "--settings.lr=0.007", "--grid.lr=[0.1]"]) == 2
    said = "grid must not have settings that the recipe fixes, but has ['lr']"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["cross-validate", "--folds=2"], ["search", "--trials=1", "--grid.lr=[0.1]"]]
)
def test_models_of_chosen_modalities_predict_the_same_file(
    file: Path, tmp_path: Path, command: list[str]
) -> None:
    name, *further = command
    words = [name, str(file), "--output", str(tmp_path / "runs"), *further, *SMALL]
    assert main([*words, "--modalities=text+audio"]) == 0
    for model in (tmp_path / "runs").rglob("model"):
        assert Run(model.parent).config["data"]["source"] == "made.safetensors"
        assert main(["predict", str(model), str(file), f"--output={tmp_path / 'p.csv'}"]) == 0
    assert (tmp_path / "p.csv").exists()


def test_the_model_in_this_folder_has_its_name(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained / "mmdfn")
    assert main(["compare", "."]) == 0
    assert "| mmdfn " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "missing.npz"], "missing.npz"),
        (["train", "FILE", "--settings.foo=1"], "but got foo."),
        (["train", "FILE", "--settings.epoch=1"], "but got epoch; did you mean epochs?"),
        (["train", "FILE", "--settings.num_layer=1"], "but got num_layer; did you mean num_layers"),
        (["train", "FILE", "--settings.lr=fast"], "lr must be a number, but got 'fast'"),
        (["train", "FILE", "--settings.num_layers=0"], "num_layers must be at least 1"),
        (["train", "FILE", "--seeds=0"], "seeds must be in [0, 2**32), at least one, but got []"),
        (["train", "FILE", "--modalities=[face]"], "but got ['face']"),
        (["train", "FILE", "--modalities=text,face"], "but got ['face']"),
        (["predict", "nowhere", "FILE"], "must have a model.safetensors, but nowhere has none"),
        (["predict", "RUN", "FILE"], "mmdfn/seed_0 has none; did you mean "),
        (["evaluate", "RUN", "FILE"], "mmdfn/seed_0/model?"),
        (["predict", "RUNS", "FILE"], "mmdfn/seed_0/model?"),
        (["predict", "MODEL", "FILE", "--output=p.txt"], "must be a .csv or .parquet file"),
        (["predict", "MODEL", "t.csv", "--output=t.csv"], "another file than t.csv, which is read"),
        (["predict", "MODEL", "FILE", "--split=dev"], "split must be one of"),
        (["compare", "nowhere"], "must have folders seed_N of finished runs"),
        (["search", "FILE", "--preset=mosi"], "grid must be given"),
    ],
)
def test_mistakes_are_named(
    arguments: list[str],
    message: str,
    file: Path,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a table")
    runs = trained / "mmdfn"
    stand_ins = {"FILE": file, "RUNS": runs, "RUN": runs / "seed_0", "MODEL": runs / "seed_0/model"}
    assert main([str(stand_ins.get(each, each)) for each in arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("graphfusion: ")
    assert "Traceback" not in said
    assert not (tmp_path / "runs/made").exists()


@pytest.mark.parametrize(
    "arguments",
    [["train"], ["train", "a", "--model", "x"], ["train", "a", "--epoch", "3"], ["x"], []],
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err


def test_a_broken_file_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"nothing of the kind")
    assert main(["train", str(tmp_path / "a.safetensors"), "--output", str(tmp_path)]) == 1
    assert "must be safetensors, an .npz, a pickle" in capsys.readouterr().err
    assert main(["validate", str(tmp_path / "a.safetensors")]) == 1


def test_every_problem_of_a_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "made.npz"
    write_npz(path, {"text": 5}, ("train", "test"))
    arrays = dict(np.load(path))
    arrays["label"][[0, 5]] = 7, 9
    np.savez(path, **arrays)
    assert main(["train", str(path), "--output", str(tmp_path)]) == 1
    first, second = capsys.readouterr().err.splitlines()
    rule = "labels must be in [0, 3), or -100 where missing, but utterance"
    assert first.startswith(f"graphfusion: {path}: conversation 'train0': {rule} 0 has 7.")
    assert second == f"graphfusion: conversation 'train1': {rule} 2 has 9."


def test_without_the_extra_train_files_are_still_validated(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["train", str(file)]) == 2
    assert "graphfusion: optuna must be installed to run this command" in capsys.readouterr().err
    assert main(["validate", str(file)]) == 0


@given(st.data())
def test_a_damaged_file_is_named(
    file: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whether the model's or the conversations' is cut off; what is left begins as it should."""
    model = trained / "mmdfn/seed_0/model"
    folder = tmp_path_factory.mktemp("damaged")
    for each in model.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())
    (folder / "made.safetensors").write_bytes(file.read_bytes())
    path = folder / data.draw(st.sampled_from(["model.safetensors", "made.safetensors"]))
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(9, len(whole) - 1))])
    words = ["predict", str(folder), str(folder / "made.safetensors"), f"--output={folder}/p.csv"]
    with redirect_stderr(StringIO()) as said:
        assert main(words) in (1, 2)
    assert f"{path}: the file must be whole, but is damaged: " in said.getvalue()


def test_files_are_validated_and_converted(file: Path, tmp_path: Path) -> None:
    assert main(["validate", str(file)]) == 0
    assert main(["convert", str(file.with_name("made.npz")), str(tmp_path / "b.safetensors")]) == 0
    assert (tmp_path / "b.safetensors").read_bytes() == file.read_bytes()


def test_interruption(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(graphfusion.training, "fit_seeds", interrupt)
    assert main(["train", str(file)]) == 130
    assert "the same command continues" in capsys.readouterr().err


def arguments_of_fit(words: list[str]) -> dict[str, object]:
    """What the command `train` passes on, without a file or a training."""
    calls: list[dict[str, object]] = []

    def stop(*_: object, **arguments: object) -> None:
        calls.append(arguments)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_commands, "open_corpus", lambda *_: None)
        patch.setattr(graphfusion.training, "fit_seeds", stop)
        assert main(words) == 130
    return calls[0]


@given(
    st.lists(st.sampled_from(["text", "audio", "a b", "x+y"]), unique=True, min_size=1),
    st.sampled_from(
        ["--modalities={}", "--modalities=[{}]", "--modalities [{}]", "--modalities {}"]
    ),
    st.booleans(),
)
def test_names_and_flags(names: list[str], form: str, resume: bool) -> None:
    words = ["train", "a.npz", *form.format(",".join(names)).split(" ", form.count(" "))]
    words += ["--resume"] * resume
    found = arguments_of_fit(words)
    assert (found["modalities"], found["resume"]) == (names, resume)


REPEATED = [
    ["train", "a.npz", "--modalities=text", "--modalities", "audio"],
    ["train", "a.npz", "--modalities=[text]", "--modalities=[audio]"],
    ["train", "a.npz", "--modalities+=text", "--modalities=[audio]"],
    ["train", "a.npz", "--settings.context=[text]", "--settings.context=[audio]"],
    ["train", "a.npz", "--settings.lr=0.1", "--settings={past: 3}"],
    ["train", "a.npz", "--seeds", "2", "--seeds", "3"],
    ["benchmark", "a.npz", "--models=[mmdfn]", "--models=[static]"],
    ["search", "a.npz", "--grid.lr=[0.1]", "--grid.lr=[0.2]"],
    ["convert", "a.npz", "b.safetensors", "--features", "text=t", "--features", "audio=a"],
    ["validate", "a.npz", "--columns", "label=l", "--columns", "speaker=s"],
]


@pytest.mark.parametrize("arguments", REPEATED, ids=" ".join)
def test_no_option_replaces_another_silently(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "must be given once, but an earlier --" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["--pre=meld", "--modal=text", "--sett.lr=1"])
def test_options_are_not_abbreviated(word: str) -> None:
    """Nor could an abbreviation replace the whole name."""
    with pytest.raises(SystemExit):
        main(["train", "a.npz", word])


def test_lists_are_appended_to() -> None:
    words = ["train", "a.npz", "--modalities=[text]", "--modalities+=audio"]
    assert arguments_of_fit(words)["modalities"] == ["text", "audio"]


def test_settings() -> None:
    words = ["lr=1e-3", "past=null", "gated=False", "context=[a]", "name=word"]
    expected = {"lr": 0.001, "past": None, "gated": False, "context": ["a"], "name": "word"}
    assert parse_settings([*words, 'speaker_weights={"a": 1}']) == expected | {
        "speaker_weights": {"a": 1.0}
    }
    for wrong in (["lr"], ["=1"], ["lr=1", "past=3", "lr=2"]):
        with pytest.raises(SystemExit):
            parse_settings(wrong)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "usage: graphfusion" in printed
    assert (COMMANDS[command].__doc__ or "").splitlines()[0] in printed
    assert not re.search(r"<class|Literal|Union|Optional|default: (None|null|False)", printed)
    assert ("(default: 0)" in printed) == (command in ("train", "benchmark"))  # seed and trials


SLOW_TO_IMPORT = ("pytorch_lightning", "torchmetrics", "matplotlib", "optuna")


def test_help_imports_no_trainer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process that has forgotten the commands and all that they need."""
    for name in ("command_line", "training"):
        monkeypatch.delattr(graphfusion, name)
        for module in [each for each in sys.modules if each.startswith(f"graphfusion.{name}")]:
            monkeypatch.delitem(sys.modules, module)
    for module in SLOW_TO_IMPORT:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(SystemExit):
        importlib.import_module("graphfusion.command_line").main(["--help"])
    assert "train" in capsys.readouterr().out
    assert not {*SLOW_TO_IMPORT, "graphfusion.training"} & sys.modules.keys()


@pytest.mark.slow
def test_the_core_and_help_import_no_trainer_in_a_process_of_their_own() -> None:
    program = f"""
import sys
import graphfusion
assert "graphfusion.training" not in sys.modules
from graphfusion.command_line import main
try:
    main(["--help"])
except SystemExit:
    pass
slow = set({SLOW_TO_IMPORT}) & set(sys.modules)
sys.exit(str(slow) if slow else 0)
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_the_configuration_is_json(trained: Path) -> None:
    json.loads((trained / "mmdfn/seed_0/config.json").read_text())
