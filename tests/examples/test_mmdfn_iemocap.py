"""The examples on small files: what they print, and what they say of mistakes."""

import os
import pickle
import re
import runpy
from itertools import pairwise
from pathlib import Path

import missing_modalities
import mmdfn_iemocap as example
import pandas as pd
import pytest
import results
import torch

from graphfusion import Conversation
from graphfusion.datasets import Corpus, load, save, synthetic
from graphfusion.training import MODELS, Recipe, Run
from tests.runs import as_scores, write_npz

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("GRAPHFUSION_DATA", ROOT.parent / "shared" / "data"))
# The role {result} of the pages, without Sphinx.
RESULTS = runpy.run_path(str(ROOT / "docs/_ext/results_table.py"))
SMALL = ["--set", "num_layers=1", "channels=4", "hidden_channels=2"]

pytestmark = pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
UNDRAWN = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def features(tmp_path: Path) -> Path:
    path = tmp_path / "features.npz"
    write_npz(path, {"text": 5, "audio": 4, "prosody": 2}, ("train", "test"))
    return path


@UNDRAWN
def test_models_are_trained_and_compared(
    features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--features", str(features), "--epochs", "2", "--seeds", "2", "--output"]
    arguments += [str(tmp_path / "runs"), "--models", "logistic", "mmdfn", *SMALL]
    runs = example.main(arguments)
    printed = capsys.readouterr().out
    assert {name: len(each) for name, each in runs.items()} == {"logistic": 2, "mmdfn": 2}
    for words in ("majority class", "strict f1", "legacy f1", "F1 x", " ± ", "mmdfn minus each"):
        assert words in printed
    assert f"Repeat with: python examples/mmdfn_iemocap.py --features {features}" in printed
    folder = tmp_path / "runs/features/text_audio/mmdfn/seed_1"
    assert runs["mmdfn"][1].folder == folder
    assert Run(folder).config["data"]["in_channels"] == {"text": 5, "audio": 6}
    assert Run(folder).config["data"]["modalities"] == ["text", "audio+prosody"]
    with pytest.raises(SystemExit):
        example.main([*arguments, "--models", "logistic", "logistic"])
    assert "models must be different, but got logistic logistic" in capsys.readouterr().err


@UNDRAWN
@pytest.mark.slow
def test_all_models_and_all_choices_of_modalities(features: Path, tmp_path: Path) -> None:
    arguments = ["--features", str(features), "--epochs", "1", "--seeds", "1", "--subsets"]
    arguments += ["--models", *MODELS, "--output", str(tmp_path / "runs"), *SMALL]
    assert list(example.main(arguments)) == [*MODELS, "mmdfn on text", "mmdfn on audio"]


def test_settings() -> None:
    words = ["lr=1e-3", "past=10", "causal=true", "patience=null", "name=a=b", 'context=["text"]']
    assert example.parse_settings(words) == {
        "lr": 0.001,
        "past": 10,
        "causal": True,
        "patience": None,
        "name": "a=b",
        "context": ["text"],
    }


def test_the_majority_class() -> None:
    corpus = synthetic(num_train=3, num_test=2)
    labels = torch.cat(corpus.labels("train"))
    guess = int(labels.mode().values)
    target = torch.cat(corpus.labels("test"))
    shown = example.majority(corpus)["strict accuracy"].iloc[0]
    assert shown == f"{100 * float((target == guess).float().mean()):.1f}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features", "missing.npz"], "No such file"),
        (["--modalities", "text,pose"], r"must be among .* but got \['pose'\]"),
        (["--preset", "dialogue"], "preset must be one of"),
        (["--epochs", "0"], "epochs must be at least 1, but got 0"),
        (["--epochs", "ten"], "--epochs: invalid int value: 'ten'"),
        (["--seeds", "0"], "at least one, but got"),
        (["--seed", "-1"], r"seeds must be in \[0, 2\*\*32\)"),
        (["--set", "lr"], "a setting must be NAME=VALUE, each name once, but got 'lr'"),
        (["--set", "=1"], "a setting must be NAME=VALUE, each name once, but got '=1'"),
        (["--set", "lr=1", "lr=2"], "NAME=VALUE, each name once, but got 'lr=2'"),
        (["--set", "layers=3"], "settings must be of .*, but got layers."),
        (["--models", "mmdfn", "--set", "num_layers=0"], "num_layers must be at least 1"),
    ],
)
def test_mistakes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        example.main([*arguments, "--output", str(tmp_path / "runs")])
    assert re.search(message, " ".join(capsys.readouterr().err.split()))
    assert not (tmp_path / "runs").exists()


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
    chosen = corpus.select(example.default_modalities(corpus))
    assert "prosody" not in chosen.in_channels
    assert len(chosen.in_channels) >= 2


@UNDRAWN
def test_the_table_of_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_npz(tmp_path / "mosi.npz", {"text": 5, "audio": 3}, ("train", "test"))
    arguments = [
        "--data",
        str(tmp_path),
        "--only",
        "mosi",
        "--models",
        "logistic",
        "bigru",
        "mmdfn",
    ]
    arguments += ["--seeds", "2", "--epochs", "1", "--runs", str(tmp_path / "runs")]
    arguments += ["--output", str(tmp_path / "table.md")]
    page = results.main(arguments)
    assert (tmp_path / "table.md").read_text() == page
    assert page.startswith("## mosi: text, audio")
    # With all that the pages quote, by the names that they have for it.
    saved = RESULTS["read"](RESULTS["TABLE"].read_text(encoding="utf-8"))
    written = RESULTS["read"](page)
    models = {"majority class", "logistic", "bigru", "mmdfn", "mmdfn against bigru"}
    quoted = {key for key in saved if key[0] == "mosi" and key[1] in models}
    assert quoted - {key for key in quoted if key[-1].startswith("F1 ")} <= written.keys()
    assert written["mosi", "bigru", "seeds"] == "2"
    for protocol in ("strict", "legacy"):
        assert re.fullmatch(r"\d+\.\d", written["mosi", "majority class", f"{protocol} f1"])
    interval = r"[+\u2212]\d+\.\d \([+\u2212]\d+\.\d to [+\u2212]\d+\.\d\)"
    assert re.fullmatch(interval, written["mosi", "mmdfn against bigru"])
    checkpoint = tmp_path / "runs/mosi/bigru/seed_1/best.ckpt"
    before = checkpoint.stat().st_mtime_ns
    assert results.main(arguments) == page
    assert checkpoint.stat().st_mtime_ns == before
    write_npz(tmp_path / "mosi.npz", {"text": 6, "audio": 3}, ("train", "test"))
    with pytest.raises(SystemExit):
        results.main(arguments)
    assert "must hold the run to resume" in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "table.md").read_text() == page


def test_more_is_lost_at_a_greater_share() -> None:
    conversations = [
        Conversation({"text": torch.ones(8, 2), "audio": torch.ones(8, 1)}, torch.arange(8) % 2)
        for _ in range(10)
    ]

    def kept(share: float) -> torch.Tensor:
        left = missing_modalities.lose(conversations, share, 3)
        return torch.stack([torch.stack(list(each.present.values())) for each in left])

    shares = [kept(share) for share in (0.0, 0.3, 0.6, 1.0)]
    assert shares[0].all()
    assert not shares[-1].any()
    for less, more in pairwise(shares):
        assert (more <= less).all()
    assert all(each.all() for c in conversations for each in c.present.values())


def test_the_study_of_missing_modalities_is_of_classes(
    features: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extractors = {"text": {"model": "who"}}

    def train(_: Recipe, corpus: Corpus, *__: object, **___: object) -> None:
        assert corpus.extractors == extractors
        raise ValueError("it is trained")

    monkeypatch.setattr(missing_modalities, "fit_seeds", train)
    corpus = load(features)
    save(as_scores(corpus), tmp_path / "scores.safetensors")
    known = Corpus(corpus.classes, corpus.splits, extractors)
    save(known, tmp_path / "classes.safetensors")
    for names, message in (
        (["classes"], "it is trained"),
        (["classes", "scores"], "features must have classes, but the task is regression"),
    ):
        files = [str(tmp_path / f"{name}.safetensors") for name in names]
        with pytest.raises(SystemExit):
            missing_modalities.main(["--features", *files, "--output", str(tmp_path)])
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_study_of_missing_modalities(
    features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, arms = tmp_path / "out", list(missing_modalities.ARMS)
    arguments = ["--features", str(features), "--epochs", "1", "--output", str(out), *SMALL]
    scores = missing_modalities.main([*arguments, "--seeds", "1"])
    assert list(scores["arm"].unique()) == arms
    assert len(scores) == len(arms) * len(missing_modalities.SHARES)
    assert scores["f1"].between(0, 1).all()
    whole = scores[scores["share"] == 0].set_index("arm")["f1"]
    assert whole["masked"] == whole["zero-filled"]
    assert pd.read_csv(out / "scores.csv")["f1"].tolist() == pytest.approx(scores["f1"].tolist())
    assert (out / "scores.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    # Another seed, and nothing is trained twice.
    checkpoint = out / "features/mmdfn/drop_0.5/seed_0/last.ckpt"
    before = checkpoint.stat().st_mtime_ns
    more = missing_modalities.main([*arguments, "--seeds", "2"])
    assert checkpoint.stat().st_mtime_ns == before
    again = more[more["seed"] == 0]["f1"].tolist()
    assert again == pytest.approx(scores["f1"].tolist())
    assert " ± " in capsys.readouterr().out
