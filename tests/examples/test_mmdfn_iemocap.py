"""The example, small: on files of both formats and without one, cut off, and in two processes."""

import json
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import mmdfn_iemocap as example
import numpy as np
import pytest
import torch
from experiment.data import default_modalities
from experiment.recipes import ABLATIONS

from graphfusion import MMDFN
from graphfusion.datasets import load
from graphfusion.models import presets
from tests.examples.runs import weights, write_npz

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("GRAPHFUSION_DATA", ROOT.parent / "shared" / "data"))
SMALL = ["--seeds", "1", "--models", "mmdfn", "--set", "num_layers=2"]

pytestmark = pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data


@pytest.fixture
def features(tmp_path: Path) -> Path:
    path = tmp_path / "features.npz"
    write_npz(path, {"text": 5, "audio": 4}, ("train", "test"))
    return path


def script(*arguments: object, **kwargs: object) -> "subprocess.Popen[bytes]":
    """The example as a process of its own."""
    command = [sys.executable, ROOT / "examples/mmdfn_iemocap.py", *SMALL, *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, env=environment, **kwargs
    )


@pytest.mark.parametrize(
    ("sizes", "splits", "modalities", "expected"),
    [
        ({"text": 5, "audio": 4, "prosody": 2}, ("train", "test"), None, {"text": 5, "audio": 6}),
        ({"pose": 3}, ("train", "val", "test"), None, {"pose": 3}),
        (
            {"text": 5, "audio": 4, "visual": 2},
            ("train", "test"),
            "visual,text",
            {"visual": 2, "text": 5},
        ),
    ],
)
def test_trains_on_any_file(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sizes: dict[str, int],
    splits: tuple[str, ...],
    modalities: str | None,
    expected: dict[str, int],
) -> None:
    path = tmp_path / "features.npz"
    write_npz(path, sizes, splits)
    arguments = ["--features", str(path), "--epochs", "2", "--output", str(tmp_path / "runs")]
    arguments += ["--seeds", "2", "--models", "logistic", "mmdfn", "--set", "num_layers=2"]
    rows = example.main(arguments + (["--modalities", modalities] if modalities else []))
    printed = capsys.readouterr().out
    assert {name: len(runs) for name, runs in rows.items()} == {
        "majority class": 1,
        "logistic": 2,
        "mmdfn": 2,
    }
    assert all(name in printed for name in (*rows, "strict F1", "legacy F1", "F1 x", " ± "))
    assert f"Repeat with: python examples/mmdfn_iemocap.py --features {path}" in printed

    folder = tmp_path / "runs/features" / "_".join(expected) / "mmdfn/seed_1"
    config = json.loads((folder / "config.json").read_text())
    data = config["data"]
    assert config["seed"] == 1
    assert config["recipe"]["model"] == {"num_layers": 2}
    assert data["in_channels"] == expected
    assert list(data["in_channels"]) == list(expected)
    assert data["classes"] == ["x", "y", "z"]
    corpus = load(path)
    held_out = set(data["held_out"])
    home = {each.id: split for split, talks in corpus.splits.items() for each in talks}
    assert {home[each] for each in held_out} == {"val" if "val" in splits else "train"}

    result = json.loads((folder / "result.json").read_text())
    test = corpus.splits["test"]
    predictions = (folder / "predictions.csv").read_text().splitlines()[1:]
    hits = [line.split(",")[2] == line.split(",")[3] for line in predictions]
    assert len(hits) == sum(len(each.y) for each in test) == np.sum(result["confusion"])
    assert result["strict"]["accuracy"] == pytest.approx(np.mean(hits))
    assert result["legacy"]["f1"] >= result["strict"]["f1"]
    for name in ("learning_curves.png", "confusion.png", "gates.png"):
        assert (folder / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"

    # The model alone predicts, with the statistics of the conversations trained on.
    model = MMDFN.from_pretrained(folder / "model")
    assert model.class_names == ("x", "y", "z")
    training = [each for each in corpus.splits["train"] if each.id not in held_out]
    for name, statistics in model.standardize.statistics.items():
        mean = statistics.mean.float()
        parts = ["audio", "prosody"] if name == "audio" and "prosody" in sizes else [name]
        x = torch.cat([torch.cat([each.features[p] for p in parts], 1) for each in training])
        torch.testing.assert_close(mean, x.mean(0), rtol=1e-4, atol=1e-4)
    selected = load(path).select(
        modalities.split(",") if modalities else default_modalities(corpus)
    )
    guesses = [
        max(row, key=row.__getitem__)
        for each in selected.splits["test"]
        for row in model.predict(each)
    ]
    assert guesses == [config["data"]["classes"][int(line.split(",")[3])] for line in predictions]


@pytest.mark.slow
def test_all_models_and_all_choices_of_modalities(
    features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--features", str(features), "--epochs", "1", "--seeds", "1", "--subsets"]
    arguments += ["--models", *example.MODELS, "--output", str(tmp_path / "runs")]
    rows = example.main([*arguments, "--set", "num_layers=2", "past=1", "future=1"])
    assert list(rows) == ["majority class", *example.MODELS, "mmdfn on text", "mmdfn on audio"]
    *others, last = example.MODELS
    _, _, comparison = capsys.readouterr().out.partition(f"{last} against")
    assert [line.split()[0] for line in comparison.splitlines()[1 : len(others) + 1]] == others
    folder = tmp_path / "runs/features/text_audio"
    for name in ABLATIONS.keys() - {"zero_filled"}:  # whose parts no folder holds
        model = MMDFN.from_pretrained(folder / name / "seed_0/model")
        assert model.fusion.gated == (name != "static")
        assert model.graph.past == (0 if name == "no_graph" else 1)
        assert (model.encoder.speaker_encoder is None) == (name == "no_speaker")


def test_the_same_seed_gives_the_same_numbers(features: Path, tmp_path: Path) -> None:
    common = ["--features", str(features), "--epochs", "2", *SMALL]
    folders = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        example.main([*common, "--seed", seed, "--output", str(tmp_path / name)])
        folders.append(tmp_path / name / f"features/text_audio/mmdfn/seed_{seed}")
    same, again, other = map(weights, folders)
    assert all(torch.equal(same[key], again[key]) for key in same)
    assert not all(torch.equal(same[key], other[key]) for key in same)


@pytest.mark.slow
def test_a_killed_run_ends_as_if_it_had_not_been(features: Path, tmp_path: Path) -> None:
    common = ["--features", features, "--epochs", "60"]
    folder = "features/text_audio/mmdfn/seed_0"
    with script(*common, "--output", tmp_path / "whole") as whole:
        assert whole.wait() == 0
    history = tmp_path / "cut" / folder / "metrics.csv"
    with script(*common, "--output", tmp_path / "cut") as cut:
        while cut.poll() is None and not (
            history.exists() and len(history.read_text().splitlines()) > 4
        ):
            time.sleep(0.005)
        cut.kill()
    assert cut.returncode != 0
    assert not (tmp_path / "cut" / folder / "result.json").exists()
    with script(*common, "--output", tmp_path / "cut", "--resume") as resumed:
        assert resumed.wait() == 0

    for name in ("last.ckpt", "best.ckpt"):
        ours, theirs = (weights(tmp_path / run / folder, name) for run in ("cut", "whole"))
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    for name in ("metrics.csv", "predictions.csv"):
        ours, theirs = ((tmp_path / run / folder / name).read_text() for run in ("cut", "whole"))
        assert ours == theirs
    assert len(history.read_text().splitlines()) == 61


def test_another_run_is_not_resumed(
    features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--features", str(features), "--epochs", "1", "--output", str(tmp_path), *SMALL]
    example.main(common)
    with pytest.raises(SystemExit):
        example.main([*common, "lr=0.1", "--resume"])
    said = " ".join(capsys.readouterr().err.split())
    assert "must hold the run to resume, but has one that differs in recipe: lr 0.0003 inst" in said
    folder = tmp_path / "features/text_audio/mmdfn/seed_0"
    before = (folder / "config.json").read_text()
    common[3] = "3"
    example.main([*common, "--resume"])
    after = (folder / "config.json").read_text()
    assert after != before
    common[3] = "2"
    with pytest.raises(SystemExit):
        example.main([*common, "--resume"])
    assert "epochs must be at least 3, as many as" in " ".join(capsys.readouterr().err.split())
    assert (folder / "config.json").read_text() == after


def test_only_the_same_run_is_written_over(
    features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--features", str(features), "--epochs", "2", "--output", str(tmp_path / "runs")]
    folder = tmp_path / "runs/features/text_audio"

    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    example.main([*common, *SMALL])
    before = files()
    others = [
        (["--epochs", "3"], "differs in epochs: 2 instead of 3"),
        (["--preset", "meld"], "differs in preset: iemocap instead of meld"),
        (["--set", "num_layers=3"], "differs in recipe: model num_layers 2 instead of 3"),
        (["--modalities", "text,audio+prosody"], "differs in data: fingerprint "),
    ]
    for words, message in others:
        if "--modalities" in words:
            write_npz(features, {"text": 5, "audio": 4, "prosody": 2}, ("train", "test"))
        capsys.readouterr()
        with pytest.raises(SystemExit):
            example.main([*common, *SMALL, *words])
        said = " ".join(capsys.readouterr().err.split())
        assert "must hold no other run, but has one that " in said
        assert message in said
        assert "choose another folder" in said
        assert files() == before
    write_npz(features, {"text": 5, "audio": 4}, ("train", "test"))
    example.main([*common, *SMALL])  # the same one may be: its numbers are the same
    same = {path.name for path, data in files().items() if data == before.get(path)}
    assert {"config.json", "metrics.csv", "predictions.csv", "model.safetensors"} <= same
    assert len(list(folder.rglob("events.out.tfevents.*"))) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["learning_rate=0.1"], "settings must be of training (average, batch_size, class_weights"),
        (["num_classes=3"], "but got num_classes."),
        (["lr=fast"], "lr must be a number, but got 'fast'."),
        (["gated=off"], "gated must be True or False, but got 'off'."),
        (["dropout=2"], "dropout must be finite and in [0, 1], but got 2."),
    ],
)
def test_settings_are_checked_before_anything_is_trained(
    features: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    with pytest.raises(SystemExit):
        example.main(
            ["--features", str(features), "--output", str(tmp_path / "runs"), "--set", *words]
        )
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "runs").exists()


def test_seeds_are_those_that_generators_take(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (-1, 2**32):
        with pytest.raises(SystemExit):
            example.main(["--seed", str(seed)])
        assert f"--seed: must be in [0, 2**32), but got {seed}." in capsys.readouterr().err
    with pytest.raises(SystemExit):
        example.main(["--seed", str(2**32 - 1), "--seeds", "2"])
    assert "the last of --seeds must be below 2**32" in capsys.readouterr().err


def test_a_folder_without_a_config_is_not_resumed(features: Path, tmp_path: Path) -> None:
    common = ["--features", str(features), "--epochs", "1", "--output", str(tmp_path), *SMALL]
    example.main(common)
    (tmp_path / "features/text_audio/mmdfn/seed_0/config.json").unlink()
    with pytest.raises(SystemExit):
        example.main([*common, "--resume"])


def test_what_a_preset_means_may_change(
    features: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    common = ["--features", str(features), "--epochs", "1", "--output", str(tmp_path), *SMALL]
    example.main(common)
    features = features.rename(features.with_stem("elsewhere"))  # the same data
    (tmp_path / "features").rename(tmp_path / "elsewhere")
    common[1] = str(features)
    example.main([*common, "--resume"])
    changed = presets.PRESETS["iemocap"] | {"dropout": 0.1}
    monkeypatch.setitem(presets.PRESETS, "iemocap", changed)
    for words in ([], ["--resume"]):
        with pytest.raises(SystemExit):
            example.main([*common, *words])
        said = " ".join(capsys.readouterr().err.split())
        assert "differs in arguments: dropout 0.4 instead of 0.1" in said
    # Before there was such an argument.
    changed["dropout"] = 0.4
    for path in tmp_path.rglob("seed_*/config.json"):
        config = json.loads(path.read_text())
        del config["arguments"]["utterance_channels"]
        path.write_text(json.dumps(config))
    with pytest.raises(SystemExit):
        example.main([*common, "--resume"])
    said = " ".join(capsys.readouterr().err.split())
    assert "differs in arguments: utterance_channels nothing instead of None" in said


TWO_PROCESSES = """
import sys
from pathlib import Path
import torch
from experiment.data import read
from experiment.recipes import recipe_of
from experiment.training import Run, train

torch.set_default_dtype(torch.float64)
corpus = read(Path(sys.argv[1]), None)
recipe = recipe_of("mmdfn", "iemocap", {"num_layers": 2, "dropout": 0.0, "batch_size": 3})
devices = int(sys.argv[3])
train(Run("mmdfn", "iemocap", recipe, 0, 3, Path(sys.argv[2]), devices=devices), corpus, "")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="PyTorch for Windows starts no second process so")
def test_two_processes_learn_what_one_does(features: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(TWO_PROCESSES)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "examples"), "OMP_NUM_THREADS": "1"}
    for devices, launcher in ((1, []), (2, ["-m", "torch.distributed.run", "--nproc-per-node=2"])):
        command = [sys.executable, *launcher, program, features, tmp_path / f"{devices}", devices]
        subprocess.run(
            list(map(str, command)), env=environment, check=True, capture_output=True, timeout=300
        )
    one, two = weights(tmp_path / "1"), weights(tmp_path / "2")
    for key in one:
        torch.testing.assert_close(two[key], one[key], rtol=0, atol=1e-6)
    first, second = (
        [float(row.split(",")[4]) for row in (tmp_path / n / "metrics.csv").open().readlines()[1:]]
        for n in "12"
    )
    assert first == pytest.approx(second)  # the training loss


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features", "missing.npz"], "No such file"),
        (["--modalities", "text,pose"], r"must be among .* but got \['pose'\]"),
        (["--preset", "dialogue"], "invalid choice"),
        (["--epochs", "0"], "--epochs: must be at least 1, but got 0"),
        (["--epochs", "ten"], "--epochs: invalid count value: 'ten'"),
        (["--seeds", "0"], "--seeds: must be at least 1, but got 0"),
        (["--set", "lr"], "a setting must be NAME=VALUE, but got 'lr'"),
        (["--models", "mmdfn", "--set", "layers=3"], "settings must be of .*, but got layers."),
        (["--models", "mmdfn", "--set", "num_layers=0"], "num_layers must be at least 1"),
        (["--set", "batch_size=0"], "batch_size must be at least 1"),
        (["--set", "average=2"], r"average must be finite and in \[0, 1\], but got 2"),
    ],
)
def test_bad_arguments(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        example.main([*arguments, "--output", str(tmp_path)])
    assert re.search(message, capsys.readouterr().err)


def test_a_malicious_file_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    class Bad:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(Bad()))
    with pytest.raises(SystemExit):
        example.main(["--features", str(tmp_path / "bad.pkl")])
    assert "mkdir" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


@pytest.mark.data
@pytest.mark.parametrize("name", ["iemocap6", "meld", "mosi"])
def test_reads_the_real_files(name: str) -> None:
    path = DATA / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"{path.name} is not in GRAPHFUSION_DATA; its licence keeps it out of here")
    corpus = load(path)
    chosen = corpus.select(default_modalities(corpus))
    assert "prosody" not in chosen.in_channels
    assert len(chosen.in_channels) >= 2
