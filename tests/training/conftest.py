"""A small corpus, and one trained run of it for the tests that only read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from graphfusion.datasets import Corpus, load
from graphfusion.training import Recipe, Run, fit_seeds
from tests.runs import empty_pictures, write_npz

SMALL = {"num_layers": 1, "channels": 4, "hidden_channels": 4, "epochs": 2}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Six conversations of three to five utterances in train and in test, three classes."""
    path = tmp_path_factory.mktemp("corpus") / "made.npz"
    write_npz(path, {"text": 5, "audio": 4}, ("train", "test"))
    return load(path)


@pytest.fixture(scope="session")
def runs(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """MM-DFN with two seeds, whose reports have empty pictures. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as monkeypatch:
        empty_pictures(monkeypatch)
        return fit_seeds(Recipe(changes=SMALL), corpus, folder, [0, 1], source="made.npz")


@pytest.fixture
def small() -> Callable[..., Recipe]:
    """A named model of which training takes little time."""

    def make(model: str = "mmdfn", preset: str = "iemocap", **changes: object) -> Recipe:
        return Recipe(model, preset, {**SMALL, **changes})

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a run may be."""
    return tmp_path / "run"
