"""The example, small: on files of both formats and without one."""

import importlib.util
import json
import os
import pickle
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from graphfusion.datasets import Corpus, load, synthetic

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("GRAPHFUSION_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example", ROOT / "examples/mmdfn_iemocap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_npz(path: Path, sizes: dict[str, int], splits: tuple[str, ...]) -> None:
    """Six conversations of three utterances a split."""
    rng = np.random.default_rng(0)
    rows = {"dialogue": [], "speaker": [], "label": [], "split": []}
    for split in splits:
        for talk in range(6):
            for turn in range(3):
                rows["dialogue"].append(f"{split}{talk}")
                rows["speaker"].append("ABC"[turn % 2 + talk % 2])
                rows["label"].append((talk + turn) % 3)
                rows["split"].append(split)
    size = len(rows["label"])
    arrays = {name: rng.normal(3, 5, (size, d)).astype("f4") for name, d in sizes.items()}
    np.savez(
        path,
        **{key: np.array(value) for key, value in rows.items()},
        classes=np.array(["x", "y", "z"]),
        **arrays,
    )


@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
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
    example: ModuleType,
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
    rows = example.main(arguments + (["--modalities", modalities] if modalities else []))
    printed = capsys.readouterr().out
    assert {"majority class", "without context", "MM-DFN"} == rows.keys()
    assert all(name in printed for name in (*rows, "weighted F1", "F1 x", "accuracy"))

    folder = tmp_path / "runs" / "features" / "mmdfn"
    config = json.loads((folder / "config.json").read_text())
    assert config["in_channels"] == expected
    assert config["classes"] == ["x", "y", "z"]
    assert list(config["in_channels"]) == list(expected)
    corpus = load(path)
    held_out = set(config["held_out"])
    home = {each.id: split for split, talks in corpus.splits.items() for each in talks}
    assert {home[each] for each in held_out} == {"val" if "val" in splits else "train"}

    # The checkpoint alone predicts, with the statistics of the conversations trained on.
    saved = example.Recognizer.load_from_checkpoint(folder / "best.ckpt", weights_only=True)
    training = [each for each in corpus.splits["train"] if each.id not in held_out]
    for name, mean in zip(
        expected, saved.standardize.mean.split(list(expected.values())), strict=True
    ):
        parts = ["audio", "prosody"] if name == "audio" and "prosody" in sizes else [name]
        x = torch.cat([torch.cat([each.features[p] for p in parts], 1) for each in training])
        torch.testing.assert_close(mean, x.mean(0), rtol=1e-4, atol=1e-4)


def test_the_synthetic_emotion_needs_both_modalities_and_the_speakers_history() -> None:
    corpus = synthetic(num_train=200, num_test=1)
    assert corpus.num_classes == 4
    talks = corpus.splits["train"]
    y = torch.cat([each.y for each in talks])
    text = torch.cat([each.features["text"] for each in talks])[:, :2].sum(1) > 0
    audio = torch.cat([each.features["audio"] for each in talks])[:, :2].sum(1) > 0
    # Text tells one half of the emotion and nothing of the other; audio the other way round.
    assert (text == y % 2).float().mean() > 0.75
    assert (audio == y // 2).float().mean() > 0.75
    assert abs((text == y // 2).float().mean() - 0.5) < 0.05
    # A speaker's previous turn tells more than the other speaker's.
    own, others = [], []
    for each in talks:
        for u in range(1, len(each.y)):
            same = each.y[u] == each.y[u - 1]
            (own if each.speaker[u] == each.speaker[u - 1] else others).append(float(same))
    assert np.mean(own) > 0.8
    assert np.mean(others) < 0.4


def test_the_synthetic_corpus_is_its_seed() -> None:
    def flat(corpus: Corpus) -> torch.Tensor:
        talks = [*corpus.splits["train"], *corpus.splits["test"]]
        return torch.cat([each.features["text"].flatten() for each in talks])

    small = {"num_train": 3, "num_test": 2}
    assert torch.equal(flat(synthetic(**small, seed=1)), flat(synthetic(**small, seed=1)))
    one, other = flat(synthetic(**small, seed=1)), flat(synthetic(**small, seed=2))
    assert one.shape != other.shape or not torch.equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features", "missing.npz"], "No such file"),
        (["--modalities", "text,pose"], r"must be among .* but got \['pose'\]"),
        (["--preset", "dialogue"], "invalid choice"),
        (["--epochs", "0"], "--epochs must be at least 1, but got 0"),
    ],
)
def test_bad_arguments(
    example: ModuleType, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        example.main(arguments)
    assert re.search(message, capsys.readouterr().err)


def test_a_malicious_file_is_refused(
    example: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    class Bad:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(Bad()))
    with pytest.raises(SystemExit):
        example.main(["--features", str(tmp_path / "bad.pkl")])
    assert "mkdir" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["iemocap6", "meld", "mosi"])
def test_reads_the_real_files(example: ModuleType, name: str) -> None:
    path = DATA / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"{path.name} is not in GRAPHFUSION_DATA; its licence keeps it out of here")
    corpus = load(path)
    chosen = corpus.select(example.default_modalities(corpus))
    assert "prosody" not in chosen.in_channels
    assert len(chosen.in_channels) >= 2
